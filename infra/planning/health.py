"""The health check of a service's replicas, and the probes that a replica sends itself.

The load balancer checks one path with GET, without headers or a body (ELBv2 target groups: interval 5 to 300 s, timeout
2 to 120 s and shorter than the interval, thresholds 2 to 10). It checks the first probe that has this form. A replica
sends the other probes itself, and takes no requests until each has succeeded. dstack uses probes in the same way: they
decide when a replica gets its first request (`jobs_running.py`: `_maybe_register_replica`).
"""

from __future__ import annotations

import re
from urllib.parse import quote

from infra.configuration import Probe, Problem, Secret, ServiceConfiguration
from infra.planning.checks import HealthCheck, ReplicaProbe
from infra.planning.model_server import Loaded

INTERVALS = range(5, 301)
TIMEOUTS = range(2, 121)
THRESHOLDS = range(2, 11)
LONGEST_PATH = 1024
_ALL_BUT_A_FAILURE = "200-499"
_WITH_AND_WITHOUT_KEY = "200-403"
_IN_A_PATH = re.compile(r"[A-Za-z0-9._:-]+")


def plan_health_check(configuration: ServiceConfiguration, loaded: Loaded) -> HealthCheck:
    """Return the health check: the first probe that the load balancer can send, else the path of the model server."""
    for probe in configuration.probes or ():
        if _is_for_load_balancer(probe):
            return _from_probe(probe)
    return _from_server(configuration, loaded)


def plan_probes(configuration: ServiceConfiguration) -> tuple[ReplicaProbe, ...]:
    """Return the probes that a replica sends itself."""
    probes = list(enumerate(configuration.probes or ()))
    checked = next((index for index, probe in probes if _is_for_load_balancer(probe)), None)
    return tuple(_to_replica(index, probe) for index, probe in probes if index != checked)


def check_probes(
    configuration: ServiceConfiguration,
    health_check: HealthCheck,
    probes: tuple[ReplicaProbe, ...],
    boot_timeout: int,
    problems: list[Problem],
) -> None:
    """Add probes that cannot succeed within `boot_timeout`, even if every answer is good, to `problems`."""
    least = (health_check.healthy_threshold - 1) * health_check.interval
    least += sum((probe.ready_after - 1) * probe.interval for probe in probes)
    if configuration.probes and least >= boot_timeout:
        problems.append(
            Problem(
                where="probes",
                line=configuration.source.line(("probes",)),
                found=f"at least {least} s until all probes have succeeded",
                rule=f"a replica that does not serve within boot_timeout ({boot_timeout} s) is replaced",
                remedy="lower interval or ready_after, or raise boot_timeout",
            )
        )


def probe_notes(health_check: HealthCheck, probes: tuple[ReplicaProbe, ...]) -> list[str]:
    """Return a note about the probes that the load balancer cannot send."""
    if not probes:
        return []
    listed = ", ".join(f"{probe.name} ({probe.method} {probe.path})" for probe in probes)
    return [
        f"The load balancer checks only one path, with GET. Each replica itself sends {listed}, and takes no requests "
        f"until it has succeeded. After that, the load balancer checks GET {health_check.path}."
    ]


def _from_server(configuration: ServiceConfiguration, loaded: Loaded) -> HealthCheck:
    model, server = configuration.model, loaded.server
    if configuration.probes == ():
        return _every_ten_seconds("/", _ALL_BUT_A_FAILURE, "probes: []")
    if server is not None:
        if server.model_health is not None and model is not None and _IN_A_PATH.fullmatch(model.name):
            path = server.model_health.format(model=model.name)
            return _every_ten_seconds(path, "200", server.name, comes_later=True)
        return _every_ten_seconds(server.health, _matcher(configuration, server.health), server.name)
    if model is None:
        return _every_ten_seconds("/", _ALL_BUT_A_FAILURE, "no model")
    if model.format == "tgi":
        return _every_ten_seconds("/health", "200", "model.format: tgi")
    path = f"{model.prefix.rstrip('/')}/models"
    return _every_ten_seconds(path, _matcher(configuration, path), "model.format: openai")


def _matcher(configuration: ServiceConfiguration, path: str) -> str:
    """Return the good status codes. The load balancer has no key, so a server that wants one refuses it: it serves."""
    needs_key = configuration.model is not None and configuration.model.upstream_api_key is not None
    return _WITH_AND_WITHOUT_KEY if needs_key and path.endswith("/models") else "200"


def _every_ten_seconds(path: str, matcher: str, origin: str, *, comes_later: bool = False) -> HealthCheck:
    return HealthCheck(
        path=path,
        matcher=matcher,
        interval=10,
        timeout=5,
        healthy_threshold=2,
        unhealthy_threshold=3,
        origin=origin,
        comes_later=comes_later,
    )


def _from_probe(probe: Probe) -> HealthCheck:
    """Return a probe as a health check. dstack counts the interval from an answer to the next request, the load
    balancer from one request to the next."""
    return HealthCheck(
        path=_encoded(probe.url),
        matcher="200-299",
        interval=max(probe.interval, probe.timeout + 1),
        timeout=max(probe.timeout, TIMEOUTS.start),
        healthy_threshold=max(probe.ready_after, THRESHOLDS.start),
        unhealthy_threshold=3,
        origin="probes",
    )


def _is_for_load_balancer(probe: Probe) -> bool:
    return (
        probe.method == "get"
        and not probe.headers
        and not probe.until_ready
        and len(_encoded(probe.url)) <= LONGEST_PATH
        and probe.interval in INTERVALS
        and probe.timeout <= TIMEOUTS[-1]
        and probe.ready_after <= THRESHOLDS[-1]
    )


def _to_replica(index: int, probe: Probe) -> ReplicaProbe:
    return ReplicaProbe(
        name=f"probes[{index}]",
        path=_encoded(probe.url),
        method=probe.method.upper(),
        headers=tuple((header.name, Secret(header.value)) for header in probe.headers),
        body=None if probe.body is None else Secret(probe.body),
        timeout=probe.timeout,
        interval=probe.interval,
        ready_after=probe.ready_after,
    )


def _encoded(url: str) -> str:
    """Return a path in the form of a request: only ASCII, and no space."""
    return "".join(character if "!" <= character <= "~" else quote(character) for character in url)
