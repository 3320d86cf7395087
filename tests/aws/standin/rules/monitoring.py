"""Alarms, dashboards and topics: periods, metrics that AWS has, metric math, names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from tests.aws.standin.paths import given, is_list, is_object, value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules
from tests.aws.standin.tables import rows

FUNCTIONS = frozenset(("AND", "FILL", "IF", "PERIOD", "RUNNING_SUM", "SEARCH"))
"""Of metric math (AmazonCloudWatch/latest/monitoring/using-metric-math.html), as far as programs may use them."""
MOST_GRAPHS = 500
"""Metrics and expressions of one graph (the same page)."""
_STATISTIC = re.compile(r"SampleCount|Average|Sum|Minimum|Maximum|p\d{1,2}(\.\d+)?|p100")
_SCHEMA = re.compile(r"SEARCH\('\{(?P<schema>[^{}]+)\}(?P<terms>[^']*)', '(?P<stat>[^']+)'\)")
"""AmazonCloudWatch/latest/monitoring/search-expression-syntax.html."""


@cache
def known_metrics() -> Mapping[tuple[str, str], Sequence[frozenset[str]]]:
    """The sets of dimensions of each metric of AWS's own, by namespace and name."""
    known: dict[tuple[str, str], list[frozenset[str]]] = {}
    for row in rows("metrics"):
        for name in row["metrics"].split():
            known.setdefault((row["namespace"], name), []).append(frozenset(row["dimensions"].split()))
    return known


def _alarm_measures(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """AmazonCloudWatch API: PutMetricAlarm."""
    period, periods = value_at(inputs, "period"), value_at(inputs, "evaluationPeriods")
    periods_of = [period, *(one for _, one in values_at(inputs, "metricQueries[].metric.period"))]
    for where in ("period", "metricQueries[].period", "metricQueries[].metric.period"):
        for at, one in values_at(inputs, where):
            if one not in (10, 20, 30) and (one % 60 or one < 60):
                yield Problem(at, f"ValidationError: Period must be 10, 20, 30 or a multiple of 60, got {one}")
    for one in periods_of:
        if one is not None and periods is not None and one * periods > (604_800 if one >= 3600 else 86_400):
            yield Problem("evaluationPeriods", "ValidationError: Metrics cannot be checked across more than a day")
            break
    if given(inputs, "metricName") and not (given(inputs, "statistic") or given(inputs, "extendedStatistic")):
        yield Problem(
            "statistic", "One of `statistic` or `extended_statistic` must be set for a cloudwatch metric alarm"
        )
    if not any(given(inputs, name) for name in ("metricName", "metricQueries", "evaluationCriteria")):
        yield Problem("metricName", "one of `evaluation_criteria,metric_name,metric_query` must be specified")
    datapoints = value_at(inputs, "datapointsToAlarm")
    if datapoints is not None and periods is not None and datapoints > periods:
        yield Problem("datapointsToAlarm", "ValidationError: must be less than or equal to evaluationPeriods")
    for where, action in values_at(inputs, "alarmActions[]"):
        if not re.fullmatch(r"arn:(aws[a-z-]*):(sns|autoscaling|automate|ssm|ssm-incidents|ec2|lambda|swf):.+", action):
            yield Problem(where, f"ValidationError: Invalid arn syntax: {action!r}")


def _alarm_reads(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """AmazonCloudWatch API: PutMetricAlarm (Metrics): one query returns data, and no alarm reads a search. The user
    guide (alarm-limits.html): an alarm reads at most 10 metrics."""
    if given(inputs, "metricName"):
        yield from _metric("metricName", inputs.get("namespace"), inputs["metricName"], inputs.get("dimensions"))
    queries = inputs.get("metricQueries")
    if not is_list(queries):
        return
    graphs: list[Mapping[str, Any]] = []
    for index, query in enumerate(queries):
        where, metric = f"metricQueries[{index}]", query.get("metric")
        graphs.append({**query, "where": where})
        if is_object(metric):
            yield from _metric(where, metric.get("namespace"), metric.get("metricName"), metric.get("dimensions"))
        if "SEARCH" in str(query.get("expression")):
            yield Problem(where, "ValidationError: SEARCH is not supported on Metric Alarms")
    if sum(is_object(query.get("metric")) for query in queries) > 10:
        yield Problem("metricQueries", "ValidationError: The metrics list has more than 10 metrics")
    if sum(query.get("returnData") is True for query in queries) != 1:
        yield Problem("metricQueries", "ValidationError: Exactly one element of the metrics list should return data")
    yield from _math(graphs)


def _body_is_a_dashboard(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html."""
    if not isinstance(text := value_at(inputs, "dashboardBody"), str):
        return
    try:
        body = json.loads(text)
    except ValueError as error:
        yield Problem("dashboardBody", f"InvalidParameterInput: The dashboard body is invalid JSON: {error}")
        return
    widgets = body.get("widgets") if is_object(body) else None
    if not is_list(widgets) or len(widgets) > 500:
        yield Problem("dashboardBody", "InvalidParameterInput: should have a list of at most 500 widgets")
        return
    taken: set[tuple[int, int]] = set()
    for index, widget in enumerate(widgets):
        where = f"dashboardBody.widgets[{index}]"
        if widget.get("type") not in ("metric", "text", "log", "alarm", "explorer"):
            yield Problem(where, f"InvalidParameterInput: Invalid widget type {widget.get('type')!r}")
        if not is_object(widget.get("properties")):
            yield Problem(where, "InvalidParameterInput: should have required property 'properties'")
            continue
        x, width = widget.get("x", 0), widget.get("width", 6)
        if not 1 <= width <= 24 or not 0 <= x <= 23:
            yield Problem(where, "InvalidParameterInput: width is 1 to 24, x is 0 to 23")
        y, height = widget.get("y", 0), widget.get("height", 6)
        place = {(column, row) for column in range(x, x + width) for row in range(y, y + height)}
        if place & taken or x + width > 24:
            yield Problem(where, "the widget lies on another one, or beyond the edge")
        taken |= place
        if widget["type"] == "metric":
            yield from _graphs(where, widget["properties"])


def _graphs(where: str, properties: Mapping[str, Any]) -> Iterator[Problem]:
    """One metric widget: each graph is `[namespace, name, dimension, value, …, {options}]` or `[{expression}]`."""
    if not properties.get("region"):
        yield Problem(where, "InvalidParameterInput: should have required property 'region'")
    metrics = properties.get("metrics", [])
    if len(metrics) > MOST_GRAPHS:
        yield Problem(where, f"InvalidParameterInput: a graph has at most {MOST_GRAPHS} metrics")
    graphs: list[Mapping[str, Any]] = []
    for index, graph in enumerate(metrics):
        at = f"{where}.metrics[{index}]"
        options: Mapping[str, Any] = graph[-1] if is_object(graph[-1]) else {}
        names = graph[:-1] if options else graph
        graphs.append({**options, "where": at})
        if not names and "expression" not in options:
            yield Problem(at, "InvalidParameterInput: a graph is a metric or an expression")
        if names:
            dimensions = dict(zip(names[2::2], names[3::2], strict=True))
            yield from _metric(at, names[0], names[1], dimensions)
            if not _STATISTIC.fullmatch(options.get("stat", "Average")):
                yield Problem(at, f"InvalidParameterInput: Invalid stat {options['stat']!r}")
    yield from _math(graphs)


def _metric(where: str, namespace: Any, name: Any, dimensions: Any) -> Iterator[Problem]:
    """A metric that AWS does not write would be a graph without a line, and an alarm that never rings."""
    if not str(namespace).startswith("AWS/"):
        return
    found = known_metrics().get((str(namespace), str(name)), ())
    if frozenset(dimensions or ()) not in found:
        by = " ".join(sorted(dimensions or ())) or "no dimension"
        yield Problem(where, f"the stand-in for AWS does not know {namespace} {name} by {by}; metrics.csv has the rest")


def _math(graphs: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    """Ids are unique, and an expression names only ids of its own graph and functions of metric math."""
    ids = [str(graph["id"]) for graph in graphs if graph.get("id")]
    for graph in graphs:
        where, expression = graph["where"], graph.get("expression")
        if graph.get("id") and (not re.fullmatch(r"[a-z][A-Za-z0-9_]*", graph["id"]) or ids.count(graph["id"]) > 1):
            yield Problem(where, f"ValidationError: Invalid or duplicate id {graph['id']!r}")
        if not isinstance(expression, str):
            continue
        plain = _SCHEMA.sub("SEARCH", expression)
        if "'" in plain or plain.count("(") != plain.count(")"):
            yield Problem(where, f"ValidationError: Error in expression {expression!r}")
        for word in re.findall(r"[A-Za-z_][A-Za-z0-9_]*", plain):
            if word not in FUNCTIONS and (word not in ids or word == graph.get("id")):
                yield Problem(where, f"ValidationError: Undefined variable {word!r} in {expression!r}")


def _topic_is_named_for_its_kind(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf sns/topic.go: a FIFO topic's name ends with .fifo, and no other's; only FIFO topics deduplicate."""
    fifo = inputs.get("fifoTopic") is True
    if given(inputs, "name") and str(inputs["name"]).endswith(".fifo") is not fifo:
        yield Problem("name", f"invalid topic name: {inputs['name']}")
    if inputs.get("contentBasedDeduplication") is True and not fifo:
        yield Problem("contentBasedDeduplication", "content-based deduplication can only be set for FIFO topics")


RULES: Rules = {
    "aws:cloudwatch/metricAlarm:MetricAlarm": (_alarm_measures, _alarm_reads),
    "aws:cloudwatch/dashboard:Dashboard": (_body_is_a_dashboard,),
    "aws:sns/topic:Topic": (_topic_is_named_for_its_kind,),
}
