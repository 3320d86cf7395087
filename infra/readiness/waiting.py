"""Wait until a service serves, and say why when it does not.

First, the group gets the capacity of the plan and is allowed to start and end instances again. Then the program looks
at the group again and again. The first row that fits a look counts:

| what a look finds | what happens |
|---|---|
| a healthy replica of the expected version, or the end of a refresh that replaced all replicas | the service serves |
| a cause that is permanent, or the replica's time is over | `stopping` stops the instances; the error names the cause |
| only replicas of another version, which nothing replaces | a refresh starts; the wait continues |
| AWS does not answer the questions that a verdict needs | the wait continues, or ends without stopping anything |
| anything else | the wait continues |
"""

from __future__ import annotations

from collections.abc import Callable

from infra.preflight.aws_errors import aws_failures, error_code, has_ended, kind_of
from infra.readiness.awaited import Awaited, NotServingError, Served
from infra.readiness.clients import Clients, Clock
from infra.readiness.last_lines import LastLines
from infra.readiness.looking import GroupGone, Looker
from infra.readiness.progress import changes
from infra.readiness.reports import going_on, gone, kept, not_serving, unknown
from infra.readiness.seen import Group, Seen
from infra.readiness.stopping import release, stop
from infra.readiness.verdict import Failure, Judge, in_time, live_replicas

POLL = 10.0
"""Seconds between two looks. A look asks five questions, far below AWS's limits."""
LONGEST_POLL = 60.0
"""The most seconds between two looks while AWS throttles requests."""
PROPAGATION = 60.0
"""Seconds that AWS can need to show a group that was just created."""
SILENCE = 120.0
"""Seconds that the wait continues without an answer from AWS after a replica's time is over."""


def wait_until_serving(awaited: Awaited, clients: Clients, *, clock: Clock, say: Callable[[str], None]) -> Served:
    """Set the group's minimum and desired capacity as planned, then wait for a healthy replica.

    Args:
        awaited: the service to wait for.
        clients: AWS clients for the service's region.
        clock: the clock to wait with.
        say: prints a line of progress. Each line begins with the time since the start of the wait.

    Raises:
        NotServingError: the service does not serve. Its instances are stopped, unless `on_failure` is `keep`. If AWS
            does not say whether the service serves, nothing is stopped, and the report says so.
    """
    return _Wait(awaited, clients, clock, say).run()


class _Wait:
    def __init__(self, awaited: Awaited, clients: Clients, clock: Clock, say: Callable[[str], None]) -> None:
        self._awaited = awaited
        self._clients = clients
        self._clock = clock
        self._print = say
        self._began = clock.now()
        self._looker = Looker(awaited, clients)
        self._judge = Judge(awaited, self._began)
        self._lines = LastLines(awaited.version)
        self._stopping = False

    def run(self) -> Served:
        try:
            return self._run()
        except NotServingError:
            raise
        except BaseException as error:
            done = "Its instances may still be running." if self._stopping else going_on(self._awaited)
            self._say(f"interrupted ({type(error).__name__}). {done}")
            raise

    def _run(self) -> Served:
        awaited = self._awaited
        self._say(f"waiting until {awaited.title} serves; a replica has {in_time(awaited.boot_timeout)} to start")
        last: Seen | None = None
        prepared = False
        missing: float | None = None
        silent: float | None = None
        pause = POLL
        while True:
            try:
                if not prepared:
                    self._put_capacity(self._looker.group())
                    prepared = True
                seen = self._looker.look()
                for line in changes(last, seen, awaited.version):
                    self._say(line)
                last = seen
                self._lines.remember(seen)
                served = self._judged(seen)
                if served is not None:
                    return served
                self._roll(seen)
            except GroupGone:
                now = self._clock.now()
                missing = now if missing is None else missing
                if now - missing >= PROPAGATION:
                    raise NotServingError(gone(awaited)) from None
            except aws_failures() as error:
                now = self._clock.now()
                passing = kind_of(error) == "passing" and not has_ended(error)
                if silent is None and passing:
                    self._say(f"AWS does not answer at the moment ({error_code(error)}); trying again")
                silent = now if silent is None else silent
                if not passing or (now - silent >= SILENCE and self._judge.is_late(now)):
                    raise NotServingError(unknown(awaited, error)) from None
                pause = min(pause * 2, LONGEST_POLL)
            else:
                missing, silent, pause = None, None, POLL
            self._clock.sleep(pause)

    def _judged(self, seen: Seen) -> Served | None:
        now = self._clock.now()
        failure = self._judge.failure(seen, now)
        instance = self._judge.serving(seen)
        if instance is not None:
            self._say(f"{self._awaited.title} serves")
            return Served(instance=instance, seconds=now - self._began)
        if failure is None and self._judge.is_late(now):
            failure = self._judge.lateness(seen, self._looker.health_check())
        if failure is None:
            return None
        raise NotServingError(self._report(failure, seen))

    def _put_capacity(self, group: Group) -> None:
        """Restore the capacity of a group that a failed wait left at zero or frozen."""
        awaited = self._awaited
        if group.suspended:
            release(awaited.group, self._clients)
        desired = max(group.desired, awaited.minimum)
        if (group.minimum, group.desired) == (awaited.minimum, desired):
            return
        self._clients.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=awaited.group, MinSize=awaited.minimum, DesiredCapacity=desired
        )
        self._say(f"the group's minimum is now {awaited.minimum} and its desired capacity {desired}")

    def _roll(self, seen: Seen) -> None:
        """Start a roll when there are only replicas of another version and no roll is in progress.

        A failed update cancels its refresh, and AWS starts a new one only when the group changes.
        """
        awaited = self._awaited
        staying = [replica for replica in seen.group.replicas if not replica.leaving]
        if not staying or seen.group.version != awaited.version or live_replicas(seen, awaited.version):
            return
        if seen.refresh is not None and seen.refresh.going:
            return
        try:
            started = self._clients.autoscaling.start_instance_refresh(
                AutoScalingGroupName=awaited.group,
                Strategy="Rolling",
                Preferences={
                    "MinHealthyPercentage": awaited.roll.min_healthy_percentage,
                    "MaxHealthyPercentage": awaited.roll.max_healthy_percentage,
                    "InstanceWarmup": awaited.roll.warmup,
                },
            )
        except aws_failures() as error:
            if not error_code(error).startswith("InstanceRefreshInProgress"):
                raise
            return
        self._judge.follow(started["InstanceRefreshId"])
        self._say(f"roll: replicas of version {awaited.version} replace those of other versions")

    def _report(self, failure: Failure, seen: Seen) -> str:
        awaited, written = self._awaited, self._lines.report(failure.instance)
        if awaited.on_failure == "keep":
            return not_serving(awaited, failure, kept(awaited, failure), written)
        self._say(f"{awaited.title} does not serve: {failure.what}; stopping the instances that do not serve")
        self._stopping = True
        return not_serving(awaited, failure, stop(awaited, self._clients, self._clock, seen), written)

    def _say(self, line: str) -> None:
        passed = int(self._clock.now() - self._began)
        self._print(f"[{passed // 60:2d}:{passed % 60:02d}] {line}")
