"""How long a service runs and tries: `retry`, `max_duration`, `stop_duration`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, field_validator
from pydantic_core import CoreSchema

from infra.configuration.amounts import Duration, read_whole
from infra.configuration.section import Section, problem

Event = Literal["no-capacity", "interruption", "error"]
SHORTEST_WAIT = 300
"""Seconds. A roll needs some of them before it starts the first new instance."""
SHORTEST_WINDOW = 300
"""dstack's shortest, in seconds."""
_ALWAYS = ("interruption", "error")


class Retry(Section, frozen=True):
    """What is tried again, and for how long."""

    on_events: tuple[Event, ...] | None = Field(
        default=None, min_length=1, description="What is tried again. If not set, everything"
    )
    duration: Duration = Field(
        default=3600, description="How long `pulumi up` waits until AWS has capacity for the first replica"
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {} if value is True else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [{"type": "boolean"}, handler(schema)]}

    @field_validator("on_events")
    @classmethod
    def _have_what_always_happens(cls, value: tuple[Event, ...] | None) -> tuple[Event, ...] | None:
        if value is not None and not set(_ALWAYS) <= set(value):
            rule = "on_events must have interruption and error, because such replicas are always replaced"
            raise problem(rule, "add them, or remove on_events", found=", ".join(value))
        return value

    @field_validator("duration", mode="before")
    @classmethod
    def _null_is_the_default(cls, value: object) -> object:
        return 3600 if value is None else value

    @field_validator("duration")
    @classmethod
    def _is_long_enough(cls, value: int) -> int:
        if value < SHORTEST_WAIT:
            rule = "duration must be at least 5m, because Auto Scaling needs minutes to replace an instance"
            raise problem(rule, "write a duration such as 1h")
        return value


class UtilizationPolicy(Section, frozen=True):
    """When a service ends because it does not use its GPUs."""

    min_gpu_utilization: Annotated[int, Field(ge=0, le=100), BeforeValidator(read_whole)] = Field(
        description="The least utilization of each GPU, in percent", examples=[10]
    )
    time_window: Duration = Field(
        description="How long a GPU can be used less than that, at least 5m. Then the service ends", examples=["1h"]
    )

    @field_validator("time_window")
    @classmethod
    def _is_long_enough(cls, value: int) -> int:
        if value < SHORTEST_WINDOW:
            raise problem("a time window must be at least 5m", "write a duration such as 1h")
        return value


def _read_no_retry(value: object) -> object:
    return None if value is False else value


def _read_longest_run(value: object) -> object:
    """Read a duration, or dstack's words for none: `off`, which YAML reads as false, and true for the default."""
    return None if value == "off" or isinstance(value, bool) else value


def _read_longest_stop(value: object) -> object:
    if value == "off" or value is False:
        rule = "replicas get at most an hour to finish their requests, because a load balancer waits no longer"
        raise problem(rule, "write a duration such as 15m", found="no limit")
    return None if value is True else value


def _or_else(schema: Mapping[str, Any], *others: object) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [schema, *({"const": other} for other in others)]})


_DURATION: Mapping[str, Any] = {"type": ["number", "string"]}

LongestRun = Annotated[Duration | None, BeforeValidator(_read_longest_run), _or_else(_DURATION, True, False, None)]
"""Seconds. None: no limit."""
LongestStop = Annotated[
    Annotated[Duration, Field(ge=0, le=3600)] | None,
    BeforeValidator(_read_longest_stop),
    _or_else(_DURATION, True, None),
]
"""Seconds. None: not set."""
OptionalRetry = Annotated[Retry | None, BeforeValidator(_read_no_retry)]
