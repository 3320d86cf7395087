"""The filters of templates that differ from those of Jinja."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from jinja2 import filters, pass_context, pass_environment
from jinja2.sandbox import SandboxedEnvironment

from gateway_lambda.templates.bounds import MAX_OUTPUT_BYTES, STEP, RenderContext, step
from gateway_lambda.templates.errors import TemplateLimit

_encode: Final = json.JSONEncoder(ensure_ascii=False).encode
_PIECES: Final = 1024
"""Pieces of indented JSON that are joined at a time."""


def tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Plain JSON as transformers writes it: nothing escaped for HTML, non-ASCII kept, keys in their order.

    Indented JSON grows with the square of its input, because each line has spaces for its depth. So it is made piece by
    piece, and ends at the length of the longest prompt.
    """
    if not ensure_ascii and indent is None and separators is None and not sort_keys:
        return _encode(value)
    encoder = json.JSONEncoder(ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    if indent is None:
        return encoder.encode(value)
    pieces = encoder.iterencode(value)
    text = ""
    while more := "".join(islice(pieces, _PIECES)):
        text += more
        if len(text) > MAX_OUTPUT_BYTES:
            raise TemplateLimit(f"the chat template writes JSON of more than {MAX_OUTPUT_BYTES} characters")
    return text


@pass_environment
def _sum(environment: SandboxedEnvironment, iterable: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    """As Jinja's `sum`, but lists are joined in one step. If they are added one by one, each addition copies the
    sum."""
    if not isinstance(start, list):
        return filters.sync_do_sum(environment, iterable, attribute, start)
    found = iterable if attribute is None else map(filters.make_attrgetter(environment, attribute), iterable)
    return [*start, *chain.from_iterable(found)]  # pyright: ignore[reportUnknownVariableType]


def _stepping(lazy: Callable[..., Iterable[Any]]) -> Callable[..., Iterable[Any]]:
    """Return a filter that goes through a list as a loop does: each item is a step."""

    @pass_context
    def stepping(context: RenderContext, value: Any, *args: Any, **kwargs: Any) -> Iterable[Any]:
        return lazy(context, _steps(context, value) if value else value, *args, **kwargs)

    return stepping


def _steps(context: RenderContext, items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        step(context)
        yield item


@pass_context
def _slice(context: RenderContext, value: Any, slices: int, fill_with: Any = None) -> Iterator[Any]:
    """As Jinja's `slice`, but each slice is a step, because one number decides how many there are."""
    return _steps(context, filters.sync_do_slice(value, slices, fill_with))


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    """As Jinja's `round`, but with a limit: Jinja computes a power of ten of any size."""
    if abs(precision) > sys.float_info.max_10_exp:
        raise TemplateLimit(f"the chat template rounds to {precision:.3g} digits")
    return filters.do_round(value, precision, method)


FILTERS: Final[dict[str, Callable[..., Any]]] = {
    "tojson": tojson,
    "sum": _sum,
    "round": _round,
    "slice": _slice,
    "map": _stepping(filters.sync_do_map),
    "select": _stepping(filters.sync_do_select),
    "reject": _stepping(filters.sync_do_reject),
    "selectattr": _stepping(filters.sync_do_selectattr),
    "rejectattr": _stepping(filters.sync_do_rejectattr),
    STEP: step,
}
"""In place of Jinja's own filters of these names, and the one that `bounds` puts into templates."""

REFUSED_FILTERS: Final = ("pprint", "random", "striptags", "urlize", "wordwrap", "xmlattr")
"""They make HTML, differ from time to time, or take time by the square of a text; no chat template uses them."""
