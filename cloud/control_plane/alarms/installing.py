"""Puts all this into moto's backends of CloudWatch, of its logs, and of Auto Scaling."""

from __future__ import annotations

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from moto.autoscaling.models import AutoScalingBackend, FakeScalingPolicy
from moto.autoscaling.responses import AutoScalingResponse
from moto.cloudwatch.exceptions import ValidationError
from moto.cloudwatch.models import Alarm, CloudWatchBackend, Statistics
from moto.core.responses import ActionResult
from moto.logs.models import LogsBackend

from cloud.control_plane.alarms import regions
from cloud.control_plane.alarms.embedded import Malformed, Written, metrics_of
from cloud.control_plane.alarms.functions import TimeSeries
from cloud.control_plane.alarms.policies import find
from cloud.control_plane.alarms.queries import Answers, check, of_alarm, of_api
from cloud.control_plane.alarms.series import series_of
from cloud.control_plane.alarms.states import COMPARISONS
from cloud.control_plane.alarms.tracking import alarms_of, delete_alarms, make_alarms
from cloud.control_plane.lacking.patching import instead

OLDEST, NEWEST = timedelta(days=14), timedelta(hours=2)
"""How far a timestamp may be from now (the embedded metric format's specification)."""
LOG = logging.getLogger("cloud.control_plane")


@functools.cache
def install() -> None:
    """Patch moto, once."""
    _install_metrics()
    _install_alarms()
    _install_policies()


def _install_metrics() -> None:
    @instead(CloudWatchBackend, "put_metric_data")
    def put(put: Any, self: Any, namespace: str, metric_data: list[dict[str, Any]]) -> None:
        series, before = series_of(self), len(self.metric_data)
        put(self, namespace, metric_data)
        series.add(self.metric_data[before:])

    @instead(CloudWatchBackend, "get_metric_data")
    def get(
        _: Any, self: Any, queries: list[dict[str, Any]], start_time: datetime, end_time: datetime, scan_by: str
    ) -> Any:
        """moto has no percentiles and no metric math, and takes data of other dimensions in."""
        return _metric_data(self, queries, start_time, end_time, newest_first=scan_by != "TimestampAscending")

    @instead(CloudWatchBackend, "get_metric_statistics")
    def statistics(
        _: Any,
        self: Any,
        namespace: str,
        metric_name: str,
        start_time: datetime,
        end_time: datetime,
        period: int,
        stats: list[str],
        dimensions: list[dict[str, str]],
        unit: str | None = None,
    ) -> list[Statistics]:
        """moto takes data of other dimensions in, and begins periods at the first of them."""
        data = series_of(self).of(namespace, metric_name, {one["Name"]: one["Value"] for one in dimensions})
        found: list[Statistics] = []
        for start in _periods(start_time, end_time, period):
            points = [one for one in data.between(start, start + period) if unit in (None, one.unit)]
            if points:
                one = Statistics(
                    stats, datetime.fromtimestamp(start, UTC).replace(tzinfo=None), points[0].unit or "None"
                )
                one.metric_data = points
                found.append(one)
        return found

    @instead(LogsBackend, "put_log_events")
    def log(put: Any, self: Any, log_group_name: str, log_stream_name: str, log_events: list[dict[str, Any]]) -> Any:
        """moto does not read the embedded metric format."""
        answer = put(self, log_group_name, log_stream_name, log_events)
        backend = regions.cloudwatch_beside(self)
        for event in log_events:
            try:
                _put_all(backend, metrics_of(event["message"]))
            except (Malformed, KeyError, TypeError) as problem:
                LOG.warning("%s: a line has no metrics: %s", log_group_name, problem)
        return answer


def _install_alarms() -> None:
    @instead(Alarm, "__init__")
    def made(init: Any, self: Any, *arguments: Any, **named: Any) -> None:
        """moto's alarms begin as OK."""
        init(self, *arguments, **named)
        self.state_value = "INSUFFICIENT_DATA"

    @instead(CloudWatchBackend, "put_metric_alarm")
    def put(put: Any, self: Any, name: str, *arguments: Any, **named: Any) -> Any:
        """An alarm that is changed keeps its state."""
        before = self.alarms.get(name)
        alarm = put(self, name, *arguments, **named)
        if problem := _problem(alarm):
            self.alarms.pop(name)
            self.alarms |= {} if before is None else {name: before}
            raise ValidationError(problem)
        if before is not None:
            for kept in ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history"):
                setattr(alarm, kept, getattr(before, kept))
        return alarm


def _problem(alarm: Any) -> str | None:
    """Why an alarm would never ring here."""
    if alarm.rule:
        return "composite alarms are not known to this cloud"
    if alarm.comparison_operator not in COMPARISONS:
        return f"the comparison {alarm.comparison_operator} is not known to this cloud"
    try:
        queries = of_alarm(alarm)
        check(queries)
        if sum(query.returned for query in queries) != 1:
            return "an alarm needs exactly one query whose ReturnData is true"
    except ValueError as problem:
        return str(problem)
    return None


def _install_policies() -> None:
    FakeScalingPolicy.alarms = property(alarms_of)  # pyright: ignore[reportAttributeAccessIssue]

    @instead(AutoScalingBackend, "put_scaling_policy")
    def put(put: Any, self: Any, name: str, *arguments: Any, **named: Any) -> Any:
        """moto's target tracking policies have no alarms."""
        before = self.policies.get(name)
        policy = put(self, name, *arguments, **named)
        if before is not None:
            delete_alarms(before)
        if policy.policy_type == "TargetTrackingScaling":
            make_alarms(policy)
        return policy

    @instead(AutoScalingResponse, "put_scaling_policy")
    def answer(put: Any, self: Any) -> ActionResult:
        """moto writes PolicyArn, which is not the member's name, and leaves the alarms out."""
        arn: str = put(self).result["PolicyArn"]
        return ActionResult({"PolicyARN": arn, "Alarms": alarms_of(find(arn))})

    @instead(AutoScalingBackend, "delete_policy")
    def delete(delete: Any, self: Any, group_name: str) -> None:
        """The parameter is the name of the policy, whatever moto calls it."""
        if group_name in self.policies:
            delete_alarms(self.policies[group_name])
        delete(self, group_name)


def _put_all(backend: Any, metrics: Sequence[Written]) -> None:
    now = datetime.now(UTC)
    for one in metrics:
        moment = datetime.fromtimestamp(one.timestamp, UTC)
        if now - OLDEST <= moment <= now + NEWEST:
            datum = {
                "MetricName": one.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in one.dimensions],
                "Timestamp": moment.replace(tzinfo=None),
                "Unit": one.unit or "None",
                "Values": list(one.values),
            }
            backend.put_metric_data(one.namespace, [datum])


def _metric_data(
    backend: Any, queries: Sequence[Mapping[str, Any]], start: datetime, end: datetime, *, newest_first: bool
) -> list[dict[str, Any]]:
    read = [of_api(query) for query in queries]
    answers = Answers(read, series_of(backend), lambda period: _periods(start, end, period), lambda seconds: seconds)
    results: list[dict[str, Any]] = []
    for query in read:
        if not query.returned:
            continue
        try:
            value = answers.of(query.id)
        except ValueError as problem:
            raise ValidationError(f"Error in expression '{query.id}': {problem}") from None
        if not isinstance(value, TimeSeries):
            value = TimeSeries(dict.fromkeys(_periods(start, end, answers.period(query.id)), value), 0)
        points = sorted(value.values.items(), reverse=newest_first)
        results.append(
            {
                "id": query.id,
                "label": query.label or query.metric or query.id,
                "values": [one for _, one in points],
                "timestamps": [datetime.fromtimestamp(moment, UTC).replace(tzinfo=None) for moment, _ in points],
                "status_code": "Complete",
            }
        )
    return results


def _periods(start: datetime, end: datetime, period: float) -> list[float]:
    """The starts of the periods between two times, at whole multiples of the period."""
    first, last = (moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() for moment in (start, end))
    begin = math.floor(first / period) * period
    return [begin + number * period for number in range(math.ceil((last - begin) / period))]
