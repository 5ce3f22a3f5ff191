"""The option that names services of a deployed stack."""

from typing import Annotated

import typer

from fastscaler.cli.failure import fail
from fastscaler.cli.situation_options import OptionRefused, chosen_service
from fastscaler.scaling.policy import Service
from fastscaler.status_reader import Source, running_document

ServiceName = Annotated[
    str | None,
    typer.Option("--service", metavar="SERVICE", help="cluster/service, or its name alone. Default: the only one."),
]


def the_service(source: Source, name: str | None) -> Service:
    """The service of the running policy document that is meant. Ends the command with 2 if none is. Raises AwsError."""
    try:
        return chosen_service(running_document(source), name)
    except OptionRefused as refused:
        fail(str(refused), 2)


def keys_of(source: Source, name: str | None, *, every: bool) -> list[str]:
    """`cluster/service` of the services that are meant. The table is not read where the whole name is given."""
    if every:
        if name is not None:
            fail("--service and --all: give one of them", 2)
        return [service.key for service in running_document(source).services]
    return [name] if name and "/" in name else [the_service(source, name).key]
