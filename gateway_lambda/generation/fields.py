"""Reading single JSON values: first the type, then the range. A string or a boolean is not a number."""

from __future__ import annotations

from typing import Any, cast

from gateway_lambda.errors import invalid_type, invalid_value

_MOST_STOPS = 32
"""The upstream gets as many as it takes. The gateway finds all of them."""


def number(value: object, param: str, low: float, high: float) -> float:
    """Return a float or an integer from `low` to `high`. Raises `RequestError` for other values, as all of these do."""
    if type(value) is not float and type(value) is not int:
        raise invalid_type(param, value, "a number")
    if not low <= value <= high:
        raise invalid_value(param, value, f"a number from {low:g} to {high:g}")
    return value


def integer(value: object, param: str, low: int, high: int | None = None) -> int:
    """Return an integer from `low` to `high`; 1.0 is not an integer."""
    if type(value) is not int:
        raise invalid_type(param, value, "an integer")
    if value < low or (high is not None and value > high):
        raise invalid_value(param, value, f"an integer from {low} to {high}" if high else f"an integer from {low}")
    return value


def boolean(value: object, param: str) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise invalid_type(param, value, "true or false")
    return value


def string(value: object, param: str) -> str:
    """Any string."""
    if type(value) is not str:
        raise invalid_type(param, value, "a string")
    return value


def mapping(value: object, param: str) -> dict[str, Any]:
    """An object."""
    if type(value) is not dict:
        raise invalid_type(param, value, "an object")
    return cast("dict[str, Any]", value)


def sequence(value: object, param: str) -> list[Any]:
    """A list."""
    if type(value) is not list:
        raise invalid_type(param, value, "a list")
    return cast("list[Any]", value)


def stop_sequences(value: object, param: str) -> list[str]:
    """Return one non-empty string, or a list of up to 32, in order and without duplicates."""
    if type(value) is str:
        value = [value]
    if type(value) is not list:
        raise invalid_type(param, value, "a string or a list of strings")
    found = cast("list[Any]", value)
    if len(found) > _MOST_STOPS:
        raise invalid_value(param, found, f"at most {_MOST_STOPS} strings")
    for text in found:
        if not string(text, param):
            raise invalid_value(param, text, "strings that are not empty")
    return list(dict.fromkeys(found))
