"""The health check of a service's replicas, from its probes or from its model.

The load balancer checks one path with GET, without headers or a body (ELBv2 target groups: interval 5 to 300 s, timeout
2 to 120 s and shorter than the interval, thresholds 2 to 10). A probe that it cannot do is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from infra.configuration import Probe, Problem, ServiceConfiguration
from infra.planning.plan import HealthCheck

INTERVALS = range(5, 301)
TIMEOUTS = range(2, 121)
THRESHOLDS = range(2, 11)
LONGEST_PATH = 1024
_PATH = re.compile(rf"/[!-~]{{0,{LONGEST_PATH - 1}}}")


def plan_health_check(configuration: ServiceConfiguration, problems: list[Problem]) -> HealthCheck:
    """Return the health check. Probes that the load balancer cannot do are added to `problems`."""
    if configuration.probes:
        _check(configuration, configuration.probes, problems)
        return _from_probe(configuration.probes[0])
    if configuration.probes is None and configuration.model is not None:
        return _every_ten_seconds("/health", "200")
    return _every_ten_seconds("/", "200-499")


def _every_ten_seconds(path: str, matcher: str) -> HealthCheck:
    return HealthCheck(path=path, matcher=matcher, interval=10, timeout=5, healthy_threshold=2, unhealthy_threshold=3)


def _from_probe(probe: Probe) -> HealthCheck:
    """Return a probe as a health check. dstack counts the interval from an answer to the next request, the load
    balancer from one request to the next."""
    return HealthCheck(
        path=probe.url,
        matcher="200-299",
        interval=max(probe.interval, probe.timeout + 1),
        timeout=max(probe.timeout, TIMEOUTS.start),
        healthy_threshold=max(probe.ready_after, THRESHOLDS.start),
        unhealthy_threshold=3,
    )


def _check(configuration: ServiceConfiguration, probes: Sequence[Probe], problems: list[Problem]) -> None:

    def refuse(key: str, index: int, found: object, rule: str, remedy: str) -> None:
        line = configuration.source.line(("probes", index, key))
        where = f"probes[{index}].{key}" if key else f"probes[{index}]"
        problems.append(Problem(where=where, line=line, found=str(found), rule=rule, remedy=remedy))

    asker = "the load balancer"
    if len(probes) > 1:
        refuse("", 1, f"{len(probes)} probes", f"{asker} checks only one path", "keep the probe that shows it serves")
    probe = probes[0]
    if probe.method != "get":
        refuse(
            "method", 0, probe.method, f"{asker} checks with GET only", "remove it, and name a path that answers GET"
        )
    if probe.headers:
        refuse("headers", 0, "headers", f"{asker} cannot send headers", "remove them")
    if probe.body is not None:
        refuse("body", 0, "a body", f"{asker} cannot send a body", "remove it")
    if probe.until_ready:
        refuse("until_ready", 0, "true", f"{asker} checks as long as a replica runs", "remove it")
    if not _PATH.fullmatch(probe.url):
        rule = f"{asker} needs a path that starts with / and has at most {LONGEST_PATH} ASCII characters and no space"
        refuse("url", 0, repr(probe.url)[:80], rule, "write a path such as /health, and other characters as %XX")
    if probe.interval not in INTERVALS:
        refuse("interval", 0, f"{probe.interval}s", f"{asker} checks every 5 to 300 s", "choose 5s to 300s")
    if probe.timeout > TIMEOUTS[-1]:
        rule = f"{asker} waits at most 120 s for an answer"
        refuse("timeout", 0, f"{probe.timeout}s", rule, "choose a shorter timeout")
    if probe.ready_after > THRESHOLDS[-1]:
        refuse("ready_after", 0, probe.ready_after, f"{asker} counts at most 10 good answers", "choose at most 10")
