"""Methods of texts that can build much more than they are given, with a check before they run.

The stock ones would take `'a'.ljust(10 ** 9)` and allocate. These give the same results below the limits of `bounds`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from gateway_lambda.templates.bounds import check_size, check_width
from gateway_lambda.templates.operators import formatted_size

GROWING_METHODS: Final = frozenset(
    ["center", "ljust", "rjust", "zfill", "expandtabs", "replace", "join", "translate", "format", "format_map"]
)
"""Methods of `str` whose result is not bounded by the text they are called on."""


def bounded_method(text: str, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method `name` of `text`, checking its arguments first. `method` is the sandbox's own for format."""

    def call(*args: Any, **kwargs: Any) -> Any:
        values = [*args, *kwargs.values()]
        if name == "replace":
            check_replacement(text, *values[:2])
        elif name == "join":
            args = (joinable(text, *args),)
        elif name in ("format", "format_map"):
            formatted_size(text, values)
        elif name == "translate":
            _check_translation(text, *values[:1])
        else:
            for value in values:
                check_width(value)
            check_size(len(text) * (_tab(values) if name == "expandtabs" else 1))
        return method(*args, **kwargs)

    return call


def check_replacement(text: str, old: Any = "", new: Any = "") -> None:
    """Refuse a replacement that makes too long a text."""
    if isinstance(old, str) and isinstance(new, str) and len(new) > len(old):
        check_size(len(text) + text.count(old) * len(new))


def joinable(separator: str, items: Any = ()) -> list[Any]:
    """The items as a list whose joined length has been checked."""
    listed = list(items)
    check_size(len(separator) * len(listed) + sum(len(item) for item in listed if isinstance(item, str)))
    return listed


def _tab(values: list[Any]) -> int:
    return values[0] if values and isinstance(values[0], int) and values[0] > 0 else 8


def _check_translation(text: str, table: Any = None) -> None:
    values: Iterable[Any] = cast("dict[Any, Any]", table).values() if isinstance(table, dict) else table or ()
    longest = max((len(value) for value in values if isinstance(value, str)), default=1)
    check_size(len(text) * longest)
