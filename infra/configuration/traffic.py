"""How a service takes requests: replicas' scaling, probes of their health, rate limits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from infra.configuration.amounts import Duration, Whole
from infra.configuration.section import Section, problem

Method = Literal["get", "post", "put", "delete", "patch", "head"]


class Scaling(Section, frozen=True):
    """When replicas are added and taken away. Durations in seconds."""

    metric: Literal["rps"] = Field(description="What is measured: rps, requests a second")
    target: float = Field(gt=0, description="Requests a second that one replica serves")
    window: Duration = Field(default=60, description="Over how long it is measured: 30s, 60s or 300s")
    scale_up_delay: Duration = Field(default=300, description="The shortest time between a change and adding replicas")
    scale_down_delay: Duration = Field(
        default=600, description="The shortest time between a change and taking some away"
    )

    @field_validator("window", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object) -> object:
        return 60 if value is None else value

    @field_validator("window")
    @classmethod
    def _is_a_window(cls, value: int) -> int:
        if value not in (30, 60, 300):
            raise problem("a window is 30s, 60s or 300s", "write one of them, or remove it for 60s")
        return value


class Header(Section, frozen=True):
    """A header of a probe's request."""

    name: str = Field(min_length=1, max_length=256, description="Its name")
    value: str = Field(min_length=1, max_length=2048, repr=False, description="Its value")


class Probe(Section, frozen=True):
    """A request that tells whether a replica is healthy. Durations in seconds."""

    type: Literal["http"] = Field(description="What kind of probe: http")
    url: str = Field(default="/", max_length=2048, description="The path that is requested")
    method: Method = Field(default="get", description="The request's method")
    headers: tuple[Header, ...] = Field(default=(), max_length=16, description="The request's headers")
    body: str | None = Field(default=None, min_length=1, max_length=2048, repr=False, description="The request's body")
    timeout: Duration = Field(default=10, ge=1, description="How long an answer may take")
    interval: Duration = Field(default=15, ge=1, description="The time from one probe to the next")
    ready_after: Annotated[Whole, Field(ge=1)] = Field(
        default=1, description="Good answers in a row that make a replica ready"
    )
    until_ready: bool = Field(default=False, description="Whether probing ends once the replica is ready")


class PartitioningKey(Section, frozen=True):
    """What each rate limit is counted by."""

    type: Literal["ip_address", "header"] = Field(description="ip_address or header")
    header: str | None = Field(
        default=None, max_length=500, pattern=r"^[a-zA-Z0-9-_]+$", description="The header's name (type: header)"
    )


class RateLimit(Section, frozen=True):
    """The most requests that a path takes."""

    prefix: str = Field(default="/", max_length=4094, pattern=r"^/[^\s\\{}]*$", description="Paths that it holds for")
    key: PartitioningKey = Field(default=PartitioningKey(type="ip_address"), description="What it is counted by")
    rps: float = Field(ge=1 / 60, le=(2**63 - 1) // 60, description="Requests a second")
    burst: Annotated[Whole, Field(ge=0)] = Field(default=0, description="Requests that may come ahead of it")
