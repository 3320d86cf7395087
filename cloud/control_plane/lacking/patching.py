"""Replaces a function of moto."""

# pyright: basic
# What moto says of its types is partial.

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any


def instead(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that runs in place of `owner.name`, and gets moto's own as its first argument."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        original: Callable[..., Any] = getattr(owner, name)

        @functools.wraps(original)
        def patched(*arguments: Any, **named: Any) -> Any:
            return function(original, *arguments, **named)

        setattr(owner, name, patched)
        return function

    return put


def beside(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a function that becomes `owner.name`, an operation that moto lacks.

    Raises RuntimeError if moto has it by now: then the function can go.
    """

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        if hasattr(owner, name):
            raise RuntimeError(f"moto has {name} now: remove it from cloud.control_plane.lacking")
        setattr(owner, name, function)
        return function

    return put


def json_answer(status: int, members: Any) -> tuple[int, dict[str, Any], str]:
    """An answer of moto's REST services."""
    return status, {"status": status}, json.dumps(members)
