"""How a service handles traffic: scaling of replicas, health probes, rate limits."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_serializer, field_validator
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Count, Duration, Number, Positive
from infra.configuration.environment import shown
from infra.configuration.problem import NOTHING
from infra.configuration.section import Section, problem

_HEADER = r"[a-zA-Z0-9-_]+"
_PREFIX = r"/[^\s\\{}]*"

Method = Literal["get", "post", "put", "delete", "patch", "head"]


class Scaling(Section, frozen=True):
    """When replicas are added and removed. Durations are in seconds."""

    metric: Literal["rps"] = Field(description="What is measured (requests per second)", examples=["rps"])
    target: Number = Field(gt=0, description="The requests per second that one replica serves", examples=[10])
    window: Duration = Field(default=60, description="The period of the measurement: 30s, 60s or 300s")
    scale_up_delay: Duration = Field(
        default=300, description="The shortest time between a change and the addition of replicas"
    )
    scale_down_delay: Duration = Field(
        default=600, description="The shortest time between a change and the removal of replicas"
    )

    @field_validator("window", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object) -> object:
        return 60 if value is None else value

    @field_validator("window")
    @classmethod
    def _is_a_window(cls, value: int) -> int:
        if value not in (30, 60, 300):
            raise problem("a window must be 30s, 60s or 300s", "write one of these, or remove it to use 60s")
        return value


class Header(Section, frozen=True):
    """A header in the request of a probe."""

    name: str = Field(min_length=1, max_length=256, description="The name of the header")
    value: str = Field(min_length=1, max_length=2048, repr=False, description="The value of the header")

    @field_serializer("value", when_used="json")
    def _hide_a_credential(self, value: str) -> str | None:
        return shown(self.name, value)


class Probe(Section, frozen=True):
    """A request that checks whether a replica is healthy. Durations are in seconds."""

    type: Literal["http"] = Field(description="The kind of probe", examples=["http"])
    url: str = Field(
        default="/", max_length=2048, description="The path of the request", json_schema_extra={"pattern": "^/"}
    )
    method: Method = Field(default="get", description="The method of the request")
    headers: tuple[Header, ...] = Field(default=(), max_length=16, description="The headers of the request")
    body: str | None = Field(
        default=None, min_length=1, max_length=2048, repr=False, description="The body of the request"
    )
    timeout: Duration = Field(default=10, ge=1, le=300, description="How long an answer can take")
    interval: Duration = Field(default=15, ge=1, description="The time from one request to the next")
    ready_after: Positive = Field(default=1, description="How many good answers in a row make a replica ready")
    until_ready: bool = Field(default=False, description="Whether the probe stops when the replica is ready")

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if given.get("body") is not None and given.get("method") in ("get", "head"):
            yield (
                "body",
                problem(
                    "a get or head request cannot have a body", "remove it, or write `method: post`", found="a body"
                ),
            )

    @field_validator("url", "method", "timeout", "interval", "ready_after", "until_ready", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object, info: ValidationInfo) -> object:
        return cls.model_fields[str(info.field_name)].default if value is None else value

    @field_validator("url")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        if not value.startswith("/") or not value.isprintable():
            rule = "a probe's url must be a path that begins with / and has only printable characters"
            raise problem(rule, "write a path such as /health")
        return value


class PartitioningKey(Section, frozen=True):
    """How clients are told apart. Each client has its own count of requests."""

    type: Literal["ip_address", "header"] = Field(
        description="What identifies a client (its IP address or a header)", examples=["ip_address"]
    )
    header: str | None = Field(
        default=None,
        max_length=500,
        description="The name of the header (only with type: header)",
        json_schema_extra={"pattern": f"^{_HEADER}$"},
    )

    @classmethod
    def conflicts(cls, given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
        if given.get("type") == "header" and given.get("header") is None:
            yield (
                "header",
                problem("`header` is required with `type: header`", "add `header: …`", found=NOTHING),
            )
        if given.get("type") == "ip_address" and "header" in given:
            yield "header", problem("`header` works only with `type: header`", "remove it, or write `type: header`")

    @field_validator("header")
    @classmethod
    def _is_a_header_name(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(_HEADER, value):
            rule = "a header name must contain only letters, digits, - and _"
            raise problem(rule, "write a name such as X-Api-Key")
        return value


class RateLimit(Section, frozen=True):
    """A limit on the requests of each client."""

    prefix: str = Field(
        default="/",
        max_length=4094,
        description="The limit applies to paths that begin with this text",
        json_schema_extra={"pattern": f"^{_PREFIX}$"},
    )
    key: PartitioningKey = Field(default=PartitioningKey(type="ip_address"), description="What identifies a client")
    rps: Number = Field(
        ge=1 / 60, le=(2**63 - 1) // 60, description="The requests per second that each client can make", examples=[10]
    )
    burst: Count = Field(default=0, description="How many requests a client can make ahead of this rate")

    @field_validator("prefix")
    @classmethod
    def _is_a_prefix(cls, value: str) -> str:
        if not re.fullmatch(_PREFIX, value):
            raise problem(
                "a prefix must begin with / and must not contain spaces, \\, { or }", "write a path such as /v1"
            )
        return value
