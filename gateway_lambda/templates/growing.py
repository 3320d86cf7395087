"""String methods and filters that can build much more than they are given, with a check before they run.

The stock ones would take `'a'.ljust(10 ** 9)` and allocate. These give the same results below the limits of `bounds`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from jinja2 import filters, pass_context

from gateway_lambda.templates.bounds import RenderContext, check_formatting, check_size, check_width

GROWING_METHODS: Final = frozenset(
    ["center", "ljust", "rjust", "zfill", "expandtabs", "replace", "join", "translate", "format", "format_map"]
)
"""Methods of `str` whose result is not bounded by the text they are called on."""


def bounded_method(text: str, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """The method `name` of `text`, checking its arguments first. `method` is the sandbox's own for format."""

    def call(*args: Any, **kwargs: Any) -> Any:
        values = [*args, *kwargs.values()]
        if name == "replace":
            _check_replacement(text, *values[:2])
        elif name == "join":
            args = (_joinable(text, *args),)
        elif name in ("format", "format_map"):
            check_formatting(None, text, values)
        elif name == "translate":
            _check_translation(text, *values[:1])
        else:
            for value in values:
                check_width(value)
            check_size(len(text) * (check_tab(values) if name == "expandtabs" else 1))
        return method(*args, **kwargs)

    return call


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Plain JSON as transformers writes it: nothing escaped for HTML, non-ASCII kept, keys in their order."""
    if not ensure_ascii and indent is None and separators is None and not sort_keys:
        return _encode(value)
    check_width(len(indent) if isinstance(indent, str) else indent)
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def check_tab(values: list[Any]) -> int:
    """The tab width of an `expandtabs` call."""
    return values[0] if values and isinstance(values[0], int) and values[0] > 0 else 8


@pass_context
def _replace(context: RenderContext, s: str, old: str, new: str, count: int | None = None) -> str:
    _check_replacement(str(s), str(old), str(new))
    return filters.do_replace(context.eval_ctx, s, old, new, count)


@pass_context
def _join(context: RenderContext, value: Iterable[Any], d: str = "", attribute: str | int | None = None) -> str:
    if attribute is None:
        value = _joinable(str(d), value)
    return filters.sync_do_join(context.eval_ctx, value, d, attribute)


@pass_context
def _format(context: RenderContext, value: str, *args: Any, **kwargs: Any) -> str:
    check_formatting(context, str(value), [*args, *kwargs.values()])
    return filters.do_format(value, *args, **kwargs)


def _check_replacement(text: str, old: Any = "", new: Any = "", *_: Any) -> None:
    if isinstance(old, str) and isinstance(new, str) and len(new) > len(old):
        check_size(len(text) + text.count(old) * len(new))


def _check_translation(text: str, table: Any = None) -> None:
    values: Iterable[Any] = cast("dict[Any, Any]", table).values() if isinstance(table, dict) else table or ()
    longest = max((len(value) for value in values if isinstance(value, str)), default=1)
    check_size(len(text) * longest)


def _joinable(separator: str, items: Any = ()) -> list[Any]:
    """The items as a list whose joined length has been checked."""
    listed = list(items)
    check_size(len(separator) * len(listed) + sum(len(item) for item in listed if isinstance(item, str)))
    return listed


def _checking_widths(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose plain arguments are widths or counts."""

    @pass_context
    def bounded(context: RenderContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        for argument in (*args, *kwargs.values()):
            check_width(len(argument) if isinstance(argument, str) else argument)
        context.step()
        return function(value, *args, **kwargs)

    return bounded


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "tojson": tojson,
    "replace": _replace,
    "join": _join,
    "format": _format,
    "center": _checking_widths(filters.do_center),
    "indent": _checking_widths(filters.do_indent),
    "round": _checking_widths(filters.do_round),
    "batch": _checking_widths(filters.do_batch),
    "slice": _checking_widths(filters.do_slice),
}
"""In place of Jinja's own filters of these names."""
