"""The clock of CloudWatch: each of AWS's minutes, the metrics of groups, and the states of all alarms."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cloud.control_plane.alarms import regions
from cloud.control_plane.alarms.functions import TimeSeries
from cloud.control_plane.alarms.policies import Policies, find
from cloud.control_plane.alarms.queries import Answers, of_alarm
from cloud.control_plane.alarms.series import series_of
from cloud.control_plane.alarms.states import MORE, Judged, Rule, judge
from cloud.control_plane.alarms.telling import tell
from cloud.control_plane.alarms.tracking import MADE
from cloud.control_plane.changes import CHANGES, WORLD
from cloud.control_plane.clock import Clock
from cloud.control_plane.groups import metrics

MINUTE = 60
"""AWS's seconds between two evaluations."""
DELAY = 60
"""AWS's seconds until a minute that is over can be evaluated: metrics come late. So what happens in a minute is noticed
one to two minutes later."""
LOG = logging.getLogger("cloud.control_plane")


class Evaluator:
    """Evaluates all alarms once in each of AWS's minutes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._minute = clock.lasts(MINUTE)
        self.policies = Policies(clock)
        self._last: int | None = None
        """The minute that was evaluated last, counted from 1970."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alarms", daemon=True)

    def start(self) -> None:
        """Begin to evaluate."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait for it."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def tick(self, now: float | None = None) -> None:
        """Evaluate, if a minute has ended since the last time. `now`: seconds since 1970."""
        now = self._clock.now() if now is None else now
        with WORLD:
            self.policies.tick(now)
            count = math.floor(now / self._minute + 1e-6)
            if count == self._last:
                return
            self._last = count
            wanted = _wanted()
            _publish(count * self._minute)
            end = count * self._minute - self._clock.lasts(DELAY)
            for backend in regions.cloudwatch():
                for alarm in list(backend.alarms.values()):
                    self._evaluate(backend, alarm, end, now)
            if wanted != _wanted():
                CHANGES.made()

    def _evaluate(self, backend: Any, alarm: Any, end: float, now: float) -> None:
        if _is_orphan(alarm):
            backend.alarms.pop(alarm.name)
            return
        try:
            judged = self._judge(backend, alarm, end)
        except ValueError as problem:
            LOG.error("the alarm %s cannot be evaluated: %s", alarm.name, problem)
            return
        before = alarm.state_value
        if judged.state != before:
            alarm.update_state(judged.reason, _data(alarm, judged, now), judged.state)
        self._act(alarm, judged, before, now)

    def _judge(self, backend: Any, alarm: Any, end: float) -> Judged:
        queries = of_alarm(alarm)
        [watched] = [query.id for query in queries if query.returned]
        periods = int(alarm.evaluation_periods)

        def grid(period: float) -> Sequence[float]:
            lasts = self._clock.lasts(period)
            return [end - age * lasts for age in range(periods + MORE, 0, -1)]

        answers = Answers(queries, series_of(backend), grid, self._clock.lasts)
        value = answers.of(watched)
        starts = list(reversed(grid(answers.period(watched))))
        values = value.values if isinstance(value, TimeSeries) else dict.fromkeys(starts, value)
        rule = Rule(
            comparison=alarm.comparison_operator,
            threshold=float(alarm.threshold),
            periods=periods,
            to_alarm=int(alarm.datapoints_to_alarm or periods),
            missing=alarm.treat_missing_data or "missing",
        )
        return judge(rule, [(start, values.get(start)) for start in starts], alarm.state_value)

    def _act(self, alarm: Any, judged: Judged, before: str, now: float) -> None:
        """Tell topics about a change, and call policies in each minute of the alarm."""
        if not alarm.actions_enabled:
            return
        actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}
        for action in actions.get(judged.state, alarm.insufficient_data_actions):
            if ":scalingPolicy:" in action:
                if judged.state == "ALARM":
                    self.policies.triggered(action, alarm, judged.points[0][1] if judged.points else None, now)
            elif judged.state != before and action.split(":")[2] == "sns":
                tell(action, alarm, before, now)

    def _run(self) -> None:
        while not self._ended.wait(self._minute - self._clock.now() % self._minute):
            try:
                self.tick()
            except Exception:
                LOG.exception("the alarms cannot be evaluated")


def _publish(time: float) -> None:
    """Publish the metrics of each group that has them enabled. A minute has the value of its beginning."""
    stamp = datetime.fromtimestamp(time, UTC).replace(tzinfo=None)
    for group in regions.groups():
        if values := metrics.values(group):
            named = [{"Name": "AutoScalingGroupName", "Value": group.name}]
            data = [
                {"MetricName": name, "Dimensions": named, "Timestamp": stamp, "Value": value, "Unit": "None"}
                for name, value in values.items()
            ]
            regions.cloudwatch_beside(group.autoscaling_backend).put_metric_data("AWS/AutoScaling", data)


def _wanted() -> list[tuple[str, int | None]]:
    return [(group.arn, group.desired_capacity) for group in regions.groups()]


def _is_orphan(alarm: Any) -> bool:
    """Whether AWS made it for a policy that was deleted with its group."""
    return alarm.name.startswith(MADE) and all(find(arn) is None for arn in alarm.alarm_actions)


def _data(alarm: Any, judged: Judged, now: float) -> str:
    """The reason as JSON (AlarmThatSendsEmail.html)."""
    stamps = [
        (datetime.fromtimestamp(start, UTC).isoformat(timespec="milliseconds"), it) for start, it in judged.points
    ]
    return json.dumps(
        {
            "version": "1.0",
            "queryDate": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
            "recentDatapoints": [value for _, value in reversed(judged.points)],
            "threshold": float(alarm.threshold),
            "evaluatedDatapoints": [{"timestamp": stamp, "value": value} for stamp, value in stamps],
        }
    )
