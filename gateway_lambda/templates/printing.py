"""Turning values into text, bounded.

Lists and dicts can hold each other, and the same text many times over, so that a few lines of a template make a value
whose text is larger than any memory. It is weighed before it is printed, and never longer than the limit takes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

from jinja2.utils import Namespace

from gateway_lambda.templates.bounds import check_size

_EMPTY: Final[dict[str, str]] = {}
_VIEWS: Final[tuple[type, ...]] = (type(_EMPTY.keys()), type(_EMPTY.values()), type(_EMPTY.items()))
_CONTAINERS: Final[tuple[type, ...]] = (list, tuple, set, frozenset, *_VIEWS)


def text_of(value: Any) -> str:
    """`str(value)`, refused where that would be too long."""
    if type(value) is str:
        return value
    check_weight(value)
    return str(value)


def check_weight(value: Any) -> None:
    """Refuse a value that holds more texts and items, each counted where it occurs, than fit into one text."""
    parts = _parts(value)
    if parts is None:
        return
    weight = 0
    pending = [iter(parts)]
    while pending:
        for part in pending[-1]:
            weight += len(part) if isinstance(part, str) else 1
            check_size(weight)
            inner = _parts(part)
            if inner is not None:
                pending.append(iter(inner))
                break
        else:
            pending.pop()


def concat(pieces: Iterable[str]) -> str:
    """Join what a macro or a block printed."""
    listed = list(pieces)
    check_size(sum(map(len, listed)))
    return "".join(listed)


def _parts(value: Any) -> Iterable[Any] | None:
    """What the text of `value` is made of; `None` where it is a text or a scalar."""
    if isinstance(value, dict):
        return cast("dict[Any, Any]", value).items()
    if isinstance(value, _CONTAINERS):
        return cast("Iterable[Any]", value)
    if isinstance(value, Namespace):
        attributes: dict[Any, Any] = object.__getattribute__(value, "_Namespace__attrs")
        return attributes.items()
    return None
