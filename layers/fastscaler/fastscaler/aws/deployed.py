"""One deployed stack and its parts, as an operator's commands reach them; a client is made when it is first needed."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from fastscaler.aws.calls import READ
from fastscaler.aws.cloudwatch import CloudWatch
from fastscaler.aws.dynamodb import Table
from fastscaler.aws.ecs import Ecs
from fastscaler.aws.function_log import FunctionLog
from fastscaler.aws.functions import INVOKE, Functions
from fastscaler.aws.session import make_client, open_session
from fastscaler.aws.stack import Stack

if TYPE_CHECKING:
    from boto3.session import Session


class Deployed:
    """A FastScaler stack in one account and Region. Every attribute raises AwsError where it cannot be had."""

    def __init__(self, name: str, session: "Session") -> None:
        self.name, self._session = name, session

    @classmethod
    def connect(cls, name: str, region: str | None, profile: str | None) -> "Deployed":
        """The stack `name`; nothing of it is read yet. Raises AwsError."""
        return cls(name, open_session(region, profile))

    @cached_property
    def stack(self) -> Stack:
        return Stack(self.name, self._client("cloudformation"), self._client("scheduler"))

    @cached_property
    def table(self) -> Table:
        return Table(self._client("dynamodb"), self.stack.resource("StateTable"))

    @cached_property
    def log(self) -> FunctionLog:
        """The scaler's."""
        return FunctionLog(self._client("logs"), self.stack.resource("ScalerLogGroup"))

    @cached_property
    def ecs(self) -> Ecs:
        client = self._client("ecs")
        return Ecs(client, client)

    @cached_property
    def metrics(self) -> CloudWatch:
        return CloudWatch(self._client("cloudwatch"))

    @cached_property
    def functions(self) -> Functions:
        return Functions(self._client("lambda", INVOKE))

    @cached_property
    def scaler(self) -> str:
        """The name of the function that runs the loop."""
        return self.stack.resource("ScalerFunction")

    @cached_property
    def synthetic(self) -> str:
        """The name of the function that publishes a drill's load."""
        return self.stack.resource("SyntheticMetricsFunction")

    def _client(self, service: str, config: Config = READ) -> Any:
        return make_client(self._session, service, config)
