"""How a service takes requests: replicas' scaling, probes of their health, rate limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Count, Duration, Number, Positive
from infra.configuration.environment import shown
from infra.configuration.problem import NOTHING
from infra.configuration.section import Section, problem

Method = Literal["get", "post", "put", "delete", "patch", "head"]


class Scaling(Section, frozen=True):
    """When replicas are added and taken away. Durations in seconds."""

    metric: Literal["rps"] = Field(description="What is measured, requests a second", examples=["rps"])
    target: Number = Field(gt=0, description="Requests a second that one replica serves", examples=[10])
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

    @field_serializer("value", when_used="json")
    def _hide_a_credential(self, value: str) -> str | None:
        return shown(self.name, value)


class Probe(Section, frozen=True):
    """A request that tells whether a replica is healthy. Durations in seconds."""

    type: Literal["http"] = Field(description="What kind of probe", examples=["http"])
    url: str = Field(
        default="/", max_length=2048, description="The path that is requested", json_schema_extra={"pattern": "^/"}
    )
    method: Method = Field(default="get", description="The request's method")
    headers: tuple[Header, ...] = Field(default=(), max_length=16, description="The request's headers")
    body: str | None = Field(default=None, min_length=1, max_length=2048, repr=False, description="The request's body")
    timeout: Duration = Field(default=10, ge=1, le=300, description="How long an answer may take")
    interval: Duration = Field(default=15, ge=1, description="The time from one probe to the next")
    ready_after: Positive = Field(default=1, description="Good answers in a row that make a replica ready")
    until_ready: bool = Field(default=False, description="Whether probing ends once the replica is ready")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if given.get("body") is not None and given.get("method") in ("get", "head"):
            yield (
                "body",
                problem("requests by get and head have no body", "remove it, or write `method: post`", found="a body"),
            )

    @field_validator("url", "method", "timeout", "interval", "ready_after", "until_ready", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object, info: ValidationInfo) -> object:
        return cls.model_fields[str(info.field_name)].default if value is None else value

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        if not value.startswith("/") or not value.isprintable():
            raise problem("a probe's url is a path: it begins with / and is printable", "write for example /health")
        return value


class PartitioningKey(Section, frozen=True):
    """What requests are counted by, each value on its own."""

    type: Literal["ip_address", "header"] = Field(
        description="By client, or by a header's value", examples=["ip_address"]
    )
    header: str | None = Field(
        default=None, max_length=500, pattern=r"^[a-zA-Z0-9-_]+$", description="The header's name (type: header)"
    )

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if given.get("type") == "header" and given.get("header") is None:
            yield (
                "header",
                problem("`header` is required when requests are counted by one", "add `header: …`", found=NOTHING),
            )
        if given.get("type") == "ip_address" and "header" in given:
            yield "header", problem("requests are counted by ip_address here", "remove it, or write `type: header`")


class RateLimit(Section, frozen=True):
    """The most requests that a path takes."""

    prefix: str = Field(default="/", max_length=4094, pattern=r"^/[^\s\\{}]*$", description="Paths that it holds for")
    key: PartitioningKey = Field(default=PartitioningKey(type="ip_address"), description="What it is counted by")
    rps: Number = Field(ge=1 / 60, le=(2**63 - 1) // 60, description="Requests a second", examples=[10])
    burst: Count = Field(default=0, description="Requests that may come ahead of it")
