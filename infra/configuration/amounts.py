"""Numbers as dstack writes them: whole numbers, sizes in GB, durations in seconds, and ranges."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, model_validator
from pydantic_core import CoreSchema

from infra.configuration.section import Section, problem

_SIZE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(tb|gb|mb)?", re.ASCII)
_DURATION = re.compile(r"(\d+) *([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_GB = {"tb": 1024.0, "gb": 1.0, "mb": 1 / 1024}
_LARGEST = 2**53
"""The largest whole number that a JSON number holds exactly. Counts, sizes and durations are far smaller."""


def read_whole(value: object) -> object:
    """Refuse true, `2.0` and 5,000 digits, which pydantic would accept as whole numbers."""
    if isinstance(value, bool):
        raise problem("this must be a whole number, not true or false", "write only digits, such as 2")
    if isinstance(value, str) and not re.fullmatch(r" *[+-]?\d{1,16} *", value, re.ASCII):
        raise problem("this must be a whole number", "write only digits, such as 2")
    if isinstance(value, int | float) and abs(value) > _LARGEST:
        raise problem("a whole number must be between -2^53 and 2^53", "write a number in this range")
    return value


def read_size(value: object) -> float:
    """Return the GB in `16GB`, `512MB`, `1TB` or a number of GB. As in dstack, 1 TB is 1024 GB."""
    rule = "a size must be a number of GB, or a number with MB, GB or TB"
    if isinstance(value, int | float) and not isinstance(value, bool):
        if 0 <= value <= _LARGEST:
            return float(value)
    elif isinstance(value, str) and len(value) < 40 and (match := _SIZE.fullmatch(value.replace(" ", "").lower())):
        return float(match[1]) * _GB[match[2] or "gb"]
    raise problem(rule, "write a size such as 24GB")


def read_duration(value: object) -> int:
    """Return the seconds in a whole number of seconds, or in a number with one unit: `90s`, `30m`, `2h`, `1d`, `1w`."""
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= _LARGEST
        and value == int(value)
    ):
        return int(value)
    if isinstance(value, str) and len(value) < 16:
        if re.fullmatch(r"\d+", value, re.ASCII):
            return int(value)
        if match := _DURATION.fullmatch(value):
            return int(match[1]) * _SECONDS[match[2]]
    rule = "a duration must be a whole number of seconds, or a whole number with one unit: s, m, h, d or w"
    raise problem(rule, "write a duration such as 30m; write 90m for an hour and a half")


def _read_number(value: object) -> object:
    if isinstance(value, bool):
        raise problem("this must be a number, not true or false", "write a number such as 2 or 1.5")
    return value


def number_or_text(pattern: str) -> dict[str, Any]:
    """Return the JSON Schema of a number or a text."""
    return {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^ *{pattern} *$"}]}


COUNT_TEXT = r"[0-9]+"
SIZE_TEXT = r"([0-9]+(\.[0-9]*)?|\.[0-9]+) *([MmGgTt][Bb])?"

Count = Annotated[int, Field(ge=0), BeforeValidator(read_whole)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(read_whole)]
Number = Annotated[float, BeforeValidator(_read_number)]
Size = Annotated[float, BeforeValidator(read_size), WithJsonSchema(number_or_text(SIZE_TEXT))]
"""GB."""
Duration = Annotated[int, BeforeValidator(read_duration), WithJsonSchema(number_or_text("[0-9]+ *[smhdw]?"))]
"""Seconds."""


class Range(Section, frozen=True):
    """The numbers from `min` to `max`, including both. None means that there is no bound on that side.

    A range always has at least one bound and contains at least one number.
    """

    bound_text: ClassVar[str] = SIZE_TEXT
    """The pattern of a bound, for editors."""

    min: float | None = Field(default=None, description="The smallest value allowed")
    max: float | None = Field(default=None, description="The largest value allowed")

    @classmethod
    def read_short_form(cls, value: object) -> object:
        """Read `8`, `8..8`, `2..8`, `16GB..` and `..4`."""
        if isinstance(value, bool):
            raise problem("this must be a number or a range, not true or false", "write a value such as 2 or 1..4")
        if isinstance(value, str) and ".." in value:
            bounds = value.replace(" ", "").split("..")
            if len(bounds) != 2 or bounds == ["", ""]:
                raise problem("a range must have the form min..max, min.. or ..max", "write a range such as 1..4")
            return {"min": bounds[0] or None, "max": bounds[1] or None}
        if isinstance(value, str | int | float):
            return {"min": value, "max": value}
        if not isinstance(value, Mapping | Range):
            raise problem("this must be a number or a range", "write a value such as 2, 1..4 or 16GB..")
        return cast(object, value)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min is None and self.max is None:
            raise problem("a range must have min, max or both", "write a range such as 1..4")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise problem("the first number of a range must not be larger than the second", "swap the two numbers")
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        text = cls.bound_text
        short = number_or_text(rf"({text}|{text} *\.\. *({text})?|\.\. *{text})")
        return {"anyOf": [*short["anyOf"], handler(schema)]}


class CountRange(Range, frozen=True):
    """A range of whole numbers."""

    bound_text: ClassVar[str] = COUNT_TEXT

    min: Count | None = Field(default=None, description="The smallest number allowed")
    max: Count | None = Field(default=None, description="The largest number allowed")


class SizeRange(Range, frozen=True):
    """A range of sizes, in GB."""

    min: Size | None = Field(default=None, description="The smallest size allowed")
    max: Size | None = Field(default=None, description="The largest size allowed")
