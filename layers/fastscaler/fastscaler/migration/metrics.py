"""What an alarm or a target tracking policy reads, as entries of `Metrics`."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastscaler.migration.commented_yaml import Note
from fastscaler.scaling import metric_math

Answer = Mapping[str, Any]
Blocks = Mapping[str, Mapping[str, Any]]  # Entries of Metrics by their keys.

ALARM_PERIOD = 60  # Seconds; that of the alarms that AWS makes for target tracking, unless it says high resolution.


class NotCarriedOver(Exception):
    """Something that a policy document cannot express; the message says why, as the end of a sentence."""


def add_metric(metrics: Blocks, block: Mapping[str, Any], wish: str) -> tuple[str, Blocks]:
    """The key of `block` in Metrics, and Metrics with it: the same metric is not written twice.

    `wish` becomes a key that an Expression can name; where another metric has it already, it is told apart.
    """
    for key, known in metrics.items():
        if known == block:
            return key, metrics
    name = re.sub(r"[^A-Za-z0-9_]", "", wish)[:100]
    name = name if re.match("[A-Za-z]", name) else f"Metric{name}"
    statistic = re.sub(r"[^A-Za-z0-9]", "", str(block.get("Statistic", "")))
    candidates = [name, f"{name}{statistic}", *(f"{name}{number}" for number in range(2, len(metrics) + 3))]
    key = next(candidate for candidate in candidates if candidate not in metrics)
    return key, {**metrics, key: block}


def of_one_metric(metric: Answer, statistic: str, period: int) -> dict[str, Any]:
    """The entry for one CloudWatch metric; `metric` has MetricName, Namespace and Dimensions, as APIs have them."""
    return {
        "Namespace": metric.get("Namespace", ""),
        "MetricName": metric.get("MetricName", ""),
        "Dimensions": {one["Name"]: one["Value"] for one in metric.get("Dimensions", [])},
        "Statistic": statistic,
        "Period": period,
    }


def metric_of_alarm(alarm: Answer, metrics: Blocks) -> tuple[str, Blocks]:
    """The key of what the alarm watches, and Metrics with it. Raises NotCarriedOver."""
    if alarm.get("MetricName"):
        statistic = str(alarm.get("Statistic") or alarm.get("ExtendedStatistic"))
        return add_metric(metrics, of_one_metric(alarm, statistic, alarm["Period"]), alarm["MetricName"])
    if not alarm.get("Metrics"):
        raise NotCarriedOver("its alarm watches neither a metric nor metric math")
    account = str(alarm.get("AlarmArn", "")).split(":")[4:5]
    for query in alarm["Metrics"]:
        if query.get("AccountId") and [query["AccountId"]] != account:
            raise NotCarriedOver(f"its alarm reads a metric of account {query['AccountId']}; FastScaler reads its own")
    return metric_of_queries(alarm["Metrics"], alarm["AlarmName"], metrics)


def metric_of_queries(queries: Sequence[Answer], name: str, metrics: Blocks) -> tuple[str, Blocks]:
    """The key of what metric data queries come to, and Metrics with it and its parts. Raises NotCarriedOver.

    Expressions that use expressions become one. `name` is for an expression without Label.
    """
    results = [query for query in queries if query.get("ReturnData", True)]
    if len(results) != 1:
        raise NotCarriedOver(f"its metric math returns {len(results)} results")
    [result] = results
    if "MetricStat" in result:
        return add_metric(metrics, _of_stat(result), result["MetricStat"]["Metric"]["MetricName"])
    by_id = {query["Id"]: query for query in queries}
    used = _metrics_in(result, by_id, ())
    keys, periods = {}, []
    for query in used:
        block = _of_stat(query)
        keys[query["Id"]], metrics = add_metric(metrics, block, query["MetricStat"]["Metric"]["MetricName"])
        periods.append(block["Period"])
    if len(set(periods)) > 1:
        raise NotCarriedOver("its metric math mixes periods of " + " and ".join(f"{one} s" for one in sorted(periods)))
    expression = {"Expression": _inlined(result, by_id, keys), "Period": periods[0]}
    return add_metric(metrics, expression, result.get("Label") or name)


def metric_notes(block: Mapping[str, Any]) -> list[Note]:
    """What a reader should know of one entry of Metrics."""
    if block.get("Namespace") == "AWS/ECS" and block["Period"] >= ALARM_PERIOD:
        return [
            Note(
                "ECS can publish this every 20 s: set the service's `monitoring` to 20 s, and Period here to 20.",
                differs=False,
            )
        ]
    if block.get("Namespace") == "AWS/ApplicationELB":
        words = "Without requests the load balancer reports nothing; FastScaler then holds the count."
        return [Note(words, differs=False)]
    return []


def unit_notes(source: Answer) -> list[Note]:
    """The units that an alarm or a customized metric keeps to; what AWS's own services publish has one unit anyway."""
    read = [(source.get("Namespace", ""), source.get("Unit"))]
    stats = [query["MetricStat"] for query in source.get("Metrics", []) if "MetricStat" in query]
    read += [(stat["Metric"].get("Namespace", ""), stat.get("Unit")) for stat in stats]
    units = sorted({unit for namespace, unit in read if unit and not namespace.startswith("AWS/")})
    return [Note(f"AWS reads samples in {unit} only; FastScaler reads all of the metric's samples.") for unit in units]


def _of_stat(query: Answer) -> dict[str, Any]:
    stat = query["MetricStat"]
    return of_one_metric(stat["Metric"], stat["Stat"], stat.get("Period", ALARM_PERIOD))


def _metrics_in(query: Answer, by_id: Mapping[str, Answer], above: tuple[str, ...]) -> list[Answer]:
    """The queries of plain metrics that an expression is made of, each once. Raises NotCarriedOver."""
    expression = query.get("Expression", "")
    problem = metric_math.problem(expression)
    if problem is not None:
        raise NotCarriedOver(f"its expression {expression} {problem}")
    found: list[Answer] = []
    for name in metric_math.names(expression):
        part = by_id.get(name)
        if part is None or name in above:
            raise NotCarriedOver(f"its expression {expression} names {name}, which is no metric of it")
        found += [part] if "MetricStat" in part else _metrics_in(part, by_id, (*above, name))
    return list({one["Id"]: one for one in found}.values())


def _inlined(query: Answer, by_id: Mapping[str, Answer], keys: Mapping[str, str]) -> str:
    """The expression with keys of Metrics for the ids of metrics, and in place of an expression's id itself."""
    expression = str(query["Expression"]).strip()
    ids = {
        name: keys[name] if name in keys else f"({_inlined(by_id[name], by_id, keys)})"
        for name in metric_math.names(expression)
    }
    return metric_math.rename(expression, ids)
