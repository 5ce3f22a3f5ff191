"""Dashboard and alarms of the template against the metrics that the scaler really sends: either changed alone fails."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, product
from pathlib import Path
from typing import Any

import pytest

from fastscaler.cost import HOURS, LOOP_METRICS, PER_CUSTOM_METRIC, document_cost
from fastscaler.document.parse import parse_document
from fastscaler.errors import AccessDenied
from fastscaler.scaling.policy import Service
from tests.unit.cloudwatch import ALARM, OK, states, watched
from tests.unit.emitted import VARIABLES, DeployedScaler, Sent
from tests.unit.loop.fakes import a_service, step
from tests.unit.template import ROOT, STACK, of_type, properties, stack

NAMESPACE = VARIABLES["POWERTOOLS_METRICS_NAMESPACE"]
OF_THE_LOOP = (("service", VARIABLES["POWERTOOLS_SERVICE_NAME"]),)
ALARMS = of_type("AWS::CloudWatch::Alarm")
DASHBOARD: dict[str, Any] = json.loads(properties("Dashboard")["DashboardBody"])
WIDGETS: list[dict[str, Any]] = DASHBOARD["widgets"]
CHOSEN = DASHBOARD["variables"][0]["pattern"]  # What the console replaces by the service that is chosen.
REFUSED = {"Directive": "prewarm", "Cluster": "shops", "Service": "nobody", "Owner": "sale", "MinCapacity": 7}
# Metrics of AWS's own services that are used here, with the dimension that each has (their user guides).
OF_AWS = {
    ("AWS/Lambda", "Errors", "FunctionName"),
    ("AWS/Lambda", "Throttles", "FunctionName"),
    ("AWS/Lambda", "Duration", "FunctionName"),
    ("AWS/Lambda", "Invocations", "FunctionName"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName"),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits", "TableName"),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits", "TableName"),
    ("AWS/Logs", "IncomingBytes", "LogGroupName"),
}
SEARCH = re.compile(
    r"SEARCH\('\{\"(?P<namespace>[^\"]+)\",(?P<dimension>\w+)\} MetricName=\"(?P<name>\w+)\"', '\w+', 60\)"
)


@pytest.fixture
def scaler(tmp_path: Path) -> DeployedScaler:
    return DeployedScaler(tmp_path)


def shop(scaler: DeployedScaler, name: str = "shop", load: Any = 350.0, **keys: object) -> Service:
    return scaler.sim.add(a_service(name, **keys), tasks=4, load=load)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> list[Sent]:
    return everything_sent(DeployedScaler(tmp_path_factory.mktemp("sent")))


def everything_sent(scaler: DeployedScaler) -> list[Sent]:
    """Every metric there is: of a fleet with all kinds of trouble, of invalid policies, of a refused directive."""
    surge = step(240, 1200, at=20)
    services = [shop(scaler, name, surge) for name in ("fine", "broken", "contested")]
    scaler.sim.fleet(services[1]).broken = "CannotPullContainerError: no such image"
    scaler.sim.scalable.found[services[2].key] = "scale-out"
    scaler.deploy(services)
    scaler.run(8)
    scaler.document.write_text("Services: []")
    scaler.run(1)
    scaler.invoke(REFUSED)
    return scaler.sent


def names(sent: list[Sent], *, of_services: bool) -> dict[str, str]:
    """The metrics of the services, or of the loop, with their units."""
    return {one.name: one.unit for one in sent if (one.dimensions != OF_THE_LOOP) == of_services}


# --- The dashboard


def shown(widget: dict[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    """Namespace, name, dimension and its value of every metric of a widget; "*" where all services are searched for."""
    before: list[str] = []
    for entry in widget["properties"].get("metrics", ()):
        if isinstance(entry[0], dict):
            for found in SEARCH.finditer(entry[0]["expression"]):
                yield found["namespace"], found["name"], found["dimension"], "*"
            continue
        fields = [part for part in entry if isinstance(part, str)]
        fields = [before[place] if part == "." else part for place, part in enumerate(fields)]
        assert len(fields) == 4
        before = fields
        yield fields[0], fields[1], fields[2], fields[3]


def graphs() -> list[dict[str, Any]]:
    return [widget for widget in WIDGETS if widget["type"] == "metric"]


def test_the_dashboard_shows_every_metric_and_none_that_is_not_sent(sent: list[Sent]) -> None:
    found = {one for widget in graphs() for one in shown(widget)}
    own = {one for one in found if not one[0].startswith("AWS/")}
    assert {(namespace, dimension) for namespace, _, dimension, _ in own} == {(NAMESPACE, "service")}
    assert {name for _, name, _, value in own if value == OF_THE_LOOP[0][1]} == set(names(sent, of_services=False))
    assert {name for _, name, _, value in own if value == CHOSEN} == set(names(sent, of_services=True))
    assert {name for _, name, _, value in own if value == "*"} < set(names(sent, of_services=True))
    assert {value for _, _, _, value in own} == {OF_THE_LOOP[0][1], CHOSEN, "*"}


def test_metrics_of_aws_are_those_of_this_stack() -> None:
    resources = {"ScalerFunction", "StateTable", properties("ScalerLogGroup")["LogGroupName"]}
    for namespace, name, dimension, value in (one for widget in graphs() for one in shown(widget)):
        if namespace.startswith("AWS/"):
            assert (namespace, name, dimension) in OF_AWS
            assert value in resources


def test_each_search_is_understood() -> None:
    expressions = [
        entry[0]["expression"]
        for widget in graphs()
        for entry in widget["properties"]["metrics"]
        if "expression" in entry[0]
    ]
    searches = [expression for expression in expressions if "SEARCH" in expression]
    assert len(searches) >= 3
    for expression in searches:
        # A graph takes 500 lines, and a reader 20.
        assert re.fullmatch(rf"SORT\({SEARCH.pattern}, MAX, DESC, 20\)", expression), expression


def test_one_service_can_be_chosen_of_those_that_report(sent: list[Sent]) -> None:
    (variable,) = DASHBOARD["variables"]
    wanted = f'{{"{NAMESPACE}",service}} MetricName="DesiredCount"'
    assert (variable["search"], variable["populateFrom"], variable["defaultValue"]) == (wanted, "service", "__FIRST")
    assert {one.dimensions[0][1] for one in sent if one.name == "DesiredCount"} == {
        "shops/fine",
        "shops/broken",
        "shops/contested",
    }
    # The pattern is replaced wherever it stands, so it may stand only where a service's name makes sense.
    assert CHOSEN not in json.dumps([widget for widget in WIDGETS if not any(CHOSEN in one for one in shown(widget))])


def test_the_axes_say_the_unit_in_which_a_metric_is_sent(sent: list[Sent]) -> None:
    units = {one.name: one.unit for one in sent}
    for widget in graphs():
        label = widget["properties"]["yAxis"]["left"]["label"]
        for name in {name for namespace, name, _, _ in shown(widget) if namespace == NAMESPACE}:
            wanted = {"seconds": "Seconds", "percent of the threshold": "Percent"}.get(label, "Count")
            assert units[name] == wanted, (widget["properties"]["title"], name)


def test_the_widgets_fill_the_rows_without_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        cells = set(
            product(
                range(widget["x"], widget["x"] + widget["width"]), range(widget["y"], widget["y"] + widget["height"])
            )
        )
        assert not cells & taken, widget["properties"]["title"]
        taken |= cells
    rows = max(y for _, y in taken) + 1
    assert taken == set(product(range(24), range(rows)))


def test_every_alarm_is_on_the_dashboard() -> None:
    (widget,) = (widget for widget in WIDGETS if widget["type"] == "alarm")
    assert sorted(widget["properties"]["alarms"]) == sorted(f"{name}.Arn" for name in ALARMS)


def test_the_decisions_are_read_from_the_log_of_the_scaler() -> None:
    (widget,) = (widget for widget in WIDGETS if widget["type"] == "log")
    query = widget["properties"]["query"]
    assert query.startswith(f"SOURCE '{properties('ScalerLogGroup')['LogGroupName']}' |")
    # The fields, and the messages, are those of the records that report.py writes.
    report = (ROOT / "layers/fastscaler/fastscaler/report.py").read_text()
    for field in ("service", "from", "to", "applied", "cause", "reason", "what"):
        assert f'"{field}":' in report
        assert field in query
    for message in re.findall(r"'(\w+)'", query.partition("filter")[2].partition("\n")[0]):
        assert f'_logger.info("{message}"' in report or f'"{message}",' in report


def test_two_stacks_have_metrics_and_dashboards_of_their_own() -> None:
    assert STACK in NAMESPACE
    assert properties("Dashboard")["DashboardName"] == "fastscaler-eu-central-1"


# --- What it costs


def test_the_estimate_of_the_dashboard_is_that_of_the_bill() -> None:
    document = parse_document((ROOT / "policies.yaml").read_text(), "policies.yaml")
    cost = document_cost(document)
    (service,), shared = cost.services, {item.name: item.usd.calm for item in cost.shared}
    reads = sum(item.billed_per_month.calm for item in service.items if item.billed_per_month)
    own = sum(item.usd.calm for item in service.items if item.name == "FastScaler's own metrics")
    an_hour = {
        "read": reads / HOURS,
        "services": 1,
        "ms": 1000 * (3600 + 60 * 2.5),
        "started": 60,
        "rcu": shared["DynamoDB, reads"] / HOURS / 0.125e-6,
        "wcu": shared["DynamoDB, writes"] / HOURS / 0.625e-6,
        "bytes": shared["logs"] / HOURS / 0.50e-9,
    }
    (widget,) = (widget for widget in graphs() if "USD" in widget["properties"]["yAxis"]["left"]["label"])
    lines = [entry[0] for entry in widget["properties"]["metrics"] if "expression" in entry[0]]
    per_day = {line["id"]: eval(line["expression"], {}, an_hour) for line in lines}
    assert per_day["reads"] == pytest.approx(sum(item.usd.calm for item in service.items if item.billed_per_month) / 30)
    assert per_day["compute"] == pytest.approx(
        (shared["Lambda, 256 MB, x86_64"] + shared["Lambda, overlap at hand-overs"]) / 30
    )
    assert per_day["fixed"] == pytest.approx(
        (own + shared["FastScaler's own metrics"] + shared["alarms"] + shared["dashboard"]) / 30
    )
    assert sum(per_day.values()) == pytest.approx(cost.total.calm / 30)


def test_arm64_is_estimated_at_its_own_price() -> None:
    x86, arm = (properties("Dashboard", Architecture=name)["DashboardBody"] for name in ("x86_64", "arm64"))
    assert ("0.0000166667" in x86, "0.0000133334" in x86) == (True, False)
    assert ("0.0000166667" in arm, "0.0000133334" in arm) == (False, True)


def test_a_service_costs_less_than_three_dollars_a_month_in_metrics(sent: list[Sent]) -> None:
    assert len(names(sent, of_services=True)) * PER_CUSTOM_METRIC < 3


def test_alarms_and_dashboard_are_on_the_bill(sent: list[Sent]) -> None:
    document = parse_document((ROOT / "policies.yaml").read_text(), "policies.yaml")
    shared = {item.name: item.usd.calm for item in document_cost(document).shared}
    assert shared["alarms"] == pytest.approx(0.10 * len(ALARMS))
    assert shared["dashboard"] == 3.0
    only_when_it_happens = {"PolicyInvalid", "DirectiveRefused"}
    assert len(set(names(sent, of_services=False)) - only_when_it_happens) == LOOP_METRICS


# --- The alarms


@pytest.fixture(params=[1, 2, 6], ids="{} more datapoints".format)
def more(request: pytest.FixtureRequest) -> int:
    """By how many datapoints CloudWatch looks further back than it must. It does not say."""
    found: int = request.param
    return found


def alarms(scaler: DeployedScaler, more: int) -> set[str]:
    """The alarms that are in ALARM now."""
    return {name for name in ALARMS if history(name, scaler, more)[-1] == ALARM}


def history(name: str, scaler: DeployedScaler, more: int) -> list[str]:
    """The states of an alarm, minute by minute."""
    return states(ALARMS[name], scaler.sent, scaler.minutes, more)


def changes(found: list[str]) -> list[str]:
    """The states that follow one another."""
    return [state for state, _ in groupby(found)]


def test_every_alarm_watches_a_metric_that_is_sent(sent: list[Sent]) -> None:
    known = {(one.namespace, one.name, one.dimensions) for one in sent}
    for name, alarm in ALARMS.items():
        metric = watched(alarm)
        if metric.namespace.startswith("AWS/"):
            assert (metric.namespace, metric.name, metric.dimensions[0][0]) in OF_AWS, name
        else:
            assert (metric.namespace, metric.name, metric.dimensions) in known, name
    assert watched(ALARMS["InvocationsFailingAlarm"]).dimensions[0][1] == "ScalerFunction"
    assert watched(ALARMS["FailedEventsAlarm"]).dimensions[0][1] == "FailedEventsQueue.QueueName"
    assert watched(ALARMS["UndeliveredScheduleAlarm"]).dimensions[0][1] == "UndeliveredSchedulesQueue.QueueName"


def test_while_all_is_well_there_is_no_alarm(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler), shop(scaler, "surging", step(240, 1200, at=200))])
    scaler.run(10)
    assert {name for name in ALARMS if ALARM in history(name, scaler, more)} == set()


@pytest.mark.parametrize("begins", [0.0, 29.0, 44.0, 46.0, 58.0])
def test_however_unevenly_the_rule_fires_there_is_no_alarm(tmp_path: Path, more: int, begins: float) -> None:
    scaler = DeployedScaler(tmp_path, begins)
    scaler.deploy([shop(scaler)])
    # EventBridge fires once within each minute, somewhere; for five minutes not at all, as no promise forbids.
    scaler.beat([1, 119, 61, 59, 58, 62, 2, 118, 60, 300, 30, 90, 117, 3, 60])
    slow = [replace(one, late=14.0) for one in scaler.sent]  # As long as a record may take into CloudWatch.
    assert ALARM not in states(ALARMS["NoLookAlarm"], slow, scaler.minutes, more)


@pytest.mark.parametrize("begins", [0.0, 20.0, 40.0, 59.0])
def test_two_minutes_without_a_look_are_an_alarm(tmp_path: Path, more: int, begins: float) -> None:
    scaler = DeployedScaler(tmp_path, begins)
    scaler.deploy([shop(scaler)])
    scaler.run(4)
    stopped = scaler.sim.clock.t
    scaler.sleep(5)
    alarm_at = 60 * (1 + history("NoLookAlarm", scaler, more).index(ALARM))
    assert 110 <= alarm_at - stopped <= 180
    assert alarms(scaler, more) == {"NoLookAlarm"}
    scaler.run(2)
    assert alarms(scaler, more) == set()


def test_a_first_deployment_is_no_alarm_unless_nothing_looks(tmp_path: Path, more: int) -> None:
    scaler = DeployedScaler(tmp_path)
    scaler.deploy([shop(scaler)])
    scaler.sleep(2)  # The rule fires within two minutes.
    scaler.run(3)
    assert changes(history("NoLookAlarm", scaler, more)) == ["INSUFFICIENT_DATA", "OK"]
    never = states(ALARMS["NoLookAlarm"], [], 10, more)
    assert never.index(ALARM) == 5


def test_a_loop_that_cannot_read_its_state_is_an_alarm(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler)])
    scaler.run(2)
    scaler.sim.store.errors["poll"] = [AccessDenied("Query", "AccessDeniedException")] * 1000
    scaler.run(4)
    assert alarms(scaler, more) == {"NoLookAlarm", "ErrorsAlarm"}


def test_errors_of_one_minute_are_no_alarm_but_of_three_are(scaler: DeployedScaler, more: int) -> None:
    one = shop(scaler)
    scaler.deploy([one])
    scaler.run(3)
    scaler.sim.ecs.refusals[one.key] = AccessDenied("DescribeServices", "AccessDeniedException")
    scaler.run(2)
    assert alarms(scaler, more) == set()
    scaler.run(2)
    assert alarms(scaler, more) == {"ErrorsAlarm"}


def test_five_minutes_at_the_maximum_are_an_alarm(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler), shop(scaler, "small", 1200.0, MaxCapacity=8)])
    scaler.run(5)
    assert alarms(scaler, more) == set()
    scaler.run(1)
    assert alarms(scaler, more) == {"AtMaximumAlarm"}


def test_data_that_stays_away_for_two_minutes_is_an_alarm(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler), shop(scaler, "silent")])
    scaler.run(2)
    silent_from = scaler.sim.clock.t
    scaler.sim.metrics.silent["shops/silent"] = lambda start: 4 if start >= silent_from else 0
    scaler.run(2)
    assert alarms(scaler, more) == set()
    scaler.run(2)
    assert alarms(scaler, more) == {"StaleDataAlarm"}
    scaler.sim.metrics.silent.clear()
    scaler.run(2)
    assert alarms(scaler, more) == set()


@pytest.mark.parametrize("begins", [0.0, 20.0, 58.0])
@pytest.mark.parametrize("from_", range(120, 180, 10))
def test_data_that_stays_away_for_less_than_a_minute_is_no_alarm(
    tmp_path: Path, more: int, begins: float, from_: int
) -> None:
    scaler = DeployedScaler(tmp_path, begins)
    scaler.deploy([shop(scaler, "silent")])
    scaler.sim.metrics.silent["shops/silent"] = lambda start: 4 if from_ <= start < from_ + 50 else 0
    scaler.beat([60, 60, 3, 57, 60, 60, 60])  # One invocation is taken over from after seconds.
    assert ALARM not in history("StaleDataAlarm", scaler, more)


def test_another_scaler_on_a_service_is_an_alarm(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler), shop(scaler, "contested")])
    scaler.sim.scalable.found["shops/contested"] = "scale-out, scale-in"
    scaler.run(3)
    assert alarms(scaler, more) == {"ConflictAlarm"}


def test_launches_that_fail_are_an_alarm(scaler: DeployedScaler, more: int) -> None:
    broken = shop(scaler, "broken", step(240, 1200, at=40))
    scaler.deploy([broken])
    scaler.sim.fleet(broken).broken = "CannotPullContainerError: no such image"
    scaler.run(6)
    assert alarms(scaler, more) == {"LaunchFailuresAlarm"}


def test_a_service_that_is_only_observed_is_no_alarm(scaler: DeployedScaler, more: int) -> None:
    """Application Auto Scaling goes on scaling it, it is busier than its MaxCapacity, and then it falls silent."""
    tried = shop(scaler, "tried", 1200.0, MaxCapacity=8, Mode="observe")
    scaler.sim.scalable.found[tried.key] = "scale-out, scale-in"
    scaler.deploy([tried])
    scaler.run(7)
    scaler.sim.metrics.silent[tried.key] = lambda start: 4
    scaler.run(4)
    assert {name for name in ALARMS if ALARM in history(name, scaler, more)} == set()


def test_invalid_policies_are_one_alarm_until_they_are_mended(scaler: DeployedScaler, more: int) -> None:
    services = [shop(scaler)]
    scaler.deploy(services)
    scaler.run(2)
    scaler.document.write_text("Services: []")
    scaler.run(2)
    assert alarms(scaler, more) == {"PolicyInvalidAlarm"}
    scaler.run(6)
    scaler.deploy(services)
    scaler.run(5 + more)
    assert changes(history("PolicyInvalidAlarm", scaler, more)) == [OK, ALARM, OK]


def test_a_refused_directive_is_one_alarm_though_it_is_tried_three_times(scaler: DeployedScaler, more: int) -> None:
    scaler.deploy([shop(scaler)])
    scaler.run(1)
    for minute in range(10 + more):
        if minute in (0, 1, 3):  # Lambda tries again after one minute and after two more.
            scaler.invoke(REFUSED)
        scaler.run(1)
    found = history("DirectiveRefusedAlarm", scaler, more)
    assert changes(found) == [OK, ALARM, OK]
    assert found.count(ALARM) >= 8


def of_aws(name: str, at: float, value: float, late: float = 0.0) -> Sent:
    """A value of the metric of AWS's that an alarm watches."""
    metric = watched(ALARMS[name])
    return Sent(metric.namespace, metric.name, metric.dimensions, "Count", value, at, late)


def test_an_invocation_that_fails_now_and_then_is_no_alarm(more: int) -> None:
    failed = [of_aws("InvocationsFailingAlarm", 60 * minute + 20, minute % 4 > 0) for minute in range(40)]
    assert ALARM not in states(ALARMS["InvocationsFailingAlarm"], failed, 40, more)


def test_invocations_that_fail_for_five_minutes_are_an_alarm(more: int) -> None:
    failed = [of_aws("InvocationsFailingAlarm", 60 * minute + 20, minute >= 10) for minute in range(20)]
    assert states(ALARMS["InvocationsFailingAlarm"], failed, 20, more).index(ALARM) == 14


@pytest.mark.parametrize("name", ["FailedEventsAlarm", "UndeliveredScheduleAlarm"])
@pytest.mark.parametrize("late", [0.0, 300.0, 900.0])
def test_a_message_is_an_alarm_for_as_long_as_it_waits(more: int, name: str, late: float) -> None:
    """As SQS reports: on a new queue for six hours, then nothing; again with the message, and when it is deleted."""
    hour, came, gone = 60, 20 * 60, 40 * 60
    told = [
        of_aws(name, 60 * minute, waiting, late)
        for begins, waiting in ((0, 0), (came, 1), (gone, 0))
        for minute in range(begins, begins + 6 * hour)
    ]
    found = states(ALARMS[name], told, gone + 8 * hour, more)
    assert changes(found[16:]) == [OK, ALARM, OK]
    began, ended = found.index(ALARM), len(found) - found[::-1].index(ALARM)
    # Within what SQS may be late, and a period, in which a count that is over still counts.
    assert came <= began <= came + 16
    assert gone <= ended <= gone + 31


def test_alarms_tell_the_topic_when_they_begin_and_when_they_are_over() -> None:
    topic = "arn:aws:sns:eu-central-1:111122223333:pager"
    for name, alarm in of_type("AWS::CloudWatch::Alarm", AlarmTopicArn=topic).items():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([topic], [topic]), name
    for name, alarm in ALARMS.items():
        assert (alarm["AlarmActions"], alarm["OKActions"]) == ([], []), name


def test_the_topic_is_the_operators_own() -> None:
    assert {kind for kind in (one["Type"] for one in stack().values()) if "SNS" in kind or "KMS" in kind} == set()


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_an_alarm_says_what_to_do_first(name: str) -> None:
    text = ALARMS[name]["AlarmDescription"]
    assert len(text) <= 1024
    assert re.search(r"First: (aws logs tail|fastscaler \w+) ", text)
    assert text.endswith(f"Then docs/operations.md, {ALARMS[name]['AlarmName'].removeprefix(STACK + '-')}.")
    assert "fastscaler status" not in text or f"--stack {STACK} --region eu-central-1" in text
