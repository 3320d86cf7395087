"""The filters of templates that differ from Jinja's: `tojson`, and those that could build more than can be printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Any, Final

from jinja2 import filters, pass_context

from gateway_lambda.templates.bounds import RenderContext, check_size, check_width
from gateway_lambda.templates.growing import check_replacement, joinable
from gateway_lambda.templates.operators import formatted_size
from gateway_lambda.templates.printing import check_weight, text_of

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Plain JSON as transformers writes it: nothing escaped for HTML, non-ASCII kept, keys in their order."""
    check_weight(value)
    if not ensure_ascii and indent is None and separators is None and not sort_keys:
        text = _encode(value)
        check_size(len(text))
        return text
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    if indent is None:
        text = encoder.encode(value)
        check_size(len(text))
        return text
    check_width(len(indent) if isinstance(indent, str) else indent)
    pieces: list[str] = []
    size = 0
    for piece in encoder.iterencode(value):
        size += len(piece)
        check_size(size)
        pieces.append(piece)
    return "".join(pieces)


@pass_context
def _replace(context: RenderContext, s: Any, old: str, new: str, count: int | None = None) -> str:
    text = text_of(s)
    check_replacement(text, str(old), str(new))
    return filters.do_replace(context.eval_ctx, text, old, new, count)


@pass_context
def _join(context: RenderContext, value: Iterable[Any], d: str = "", attribute: Any = None) -> str:
    if attribute is not None:
        value = filters.sync_do_map(context, value, attribute=attribute)
    listed = joinable(str(d), value)
    check_weight(listed)
    return filters.sync_do_join(context.eval_ctx, listed, d)


@pass_context
def _format(context: RenderContext, value: str, *args: Any, **kwargs: Any) -> str:
    context.spend(formatted_size(text_of(value), [*args, *kwargs.values()]))
    return filters.do_format(value, *args, **kwargs)


@pass_context
def _indent(_context: RenderContext, s: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = text_of(s)
    columns = len(width) if isinstance(width, str) else width
    check_width(columns)
    check_size(len(text) + (text.count("\n") + 1) * columns)
    return filters.do_indent(text, width, first, blank)


@pass_context
def _wordwrap(
    context: RenderContext,
    s: str,
    width: int = 79,
    break_long_words: bool = True,
    wrapstring: str | None = None,
    break_on_hyphens: bool = True,
) -> str:
    text = text_of(s)
    check_size(len(text) * max(1, len(wrapstring or "")))
    return filters.do_wordwrap(context.environment, text, width, break_long_words, wrapstring, break_on_hyphens)


@pass_context
def _sum(context: RenderContext, iterable: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    listed = list(filters.sync_do_map(context, iterable, attribute=attribute) if attribute is not None else iterable)
    context.spend(sum(len(item) for item in listed if isinstance(item, Sized)))
    return sum(listed, start)


@pass_context
def _map(context: RenderContext, value: Iterable[Any], *args: Any, **kwargs: Any) -> Iterator[Any]:
    for item in filters.sync_do_map(context, value, *args, **kwargs):
        context.step()
        if isinstance(item, Sized):
            context.spend(len(item))
        yield item


def _printing(function: Callable[..., str]) -> Callable[..., str]:
    """A filter that prints its value, possibly with each character escaped."""

    @pass_context
    def bounded(_context: RenderContext, value: Any) -> str:
        check_weight(value)
        text = function(value)
        check_size(len(text))
        return text

    return bounded


def _taking_widths(function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter whose arguments are widths or counts."""

    @pass_context
    def bounded(context: RenderContext, value: Any, *args: Any, **kwargs: Any) -> Any:
        for argument in (*args, *kwargs.values()):
            check_width(argument)
        context.step()
        return function(value, *args, **kwargs)

    return bounded


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "tojson": tojson,
    "replace": _replace,
    "join": _join,
    "format": _format,
    "indent": _indent,
    "wordwrap": _wordwrap,
    "sum": _sum,
    "map": _map,
    "string": _printing(text_of),
    "pprint": _printing(filters.do_pprint),
    "urlencode": _printing(filters.do_urlencode),
    "center": _taking_widths(filters.do_center),
    "round": _taking_widths(filters.do_round),
    "batch": _taking_widths(filters.do_batch),
    "slice": _taking_widths(filters.do_slice),
}
"""In place of Jinja's own filters of these names."""

REFUSED_FILTERS: Final = ("random", "urlize", "xmlattr")
"""They make HTML, or differ from rendering to rendering; no chat template uses them."""
