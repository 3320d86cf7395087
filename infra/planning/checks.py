"""How a plan says that a replica can take requests: the load balancer's check, and the replica's own probes."""

from __future__ import annotations

from dataclasses import dataclass

from infra.configuration import Secret


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """The request that the load balancer sends to a replica, and the answers that count as good."""

    path: str
    matcher: str
    """The good status codes, in the load balancer's own form: `200` or `200-499`."""
    interval: int
    """Seconds between two checks of a replica."""
    timeout: int
    """Seconds after which a check has failed."""
    healthy_threshold: int
    """The number of good answers in a row that make a replica healthy."""
    unhealthy_threshold: int
    """The number of bad answers in a row that make it unhealthy."""
    origin: str = "the default"
    """Where the path comes from, for people: `vLLM`, `probes`."""
    comes_later: bool = False
    """Whether the path answers 404 for a time, because it appears with the model. Otherwise, a 404 that lasts means
    that the server does not have the path."""


@dataclass(frozen=True, kw_only=True)
class ReplicaProbe:
    """A request that the replica sends to its container. It takes no requests until this probe has succeeded."""

    name: str
    """The probe's place in the configuration: `probes[0]`."""
    path: str
    method: str
    """In capital letters."""
    headers: tuple[tuple[str, Secret], ...]
    body: Secret | None
    timeout: int
    """Seconds that an answer can take."""
    interval: int
    """Seconds from an answer to the next request."""
    ready_after: int
    """The number of answers from 200 to 299 in a row that make the probe succeed."""
