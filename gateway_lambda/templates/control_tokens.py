"""Control tokens that callers write (docs/translation.md#control-tokens).

TGI takes only text, and tokenizes `<|im_start|>` as the control token everywhere. A record can say that such texts
are removed from requests, or that requests with them are refused. These texts count: the special tokens of the model,
and texts of the template that look like control tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from os.path import commonprefix
from typing import Final, Literal

from gateway_lambda.templates.errors import MessagesRefused
from gateway_lambda.templates.json_value import Json

_LOOKS_LIKE_ONE: Final = re.compile(
    r"<\|[^|<>\s'\"{}]{1,64}\|>|<｜[^｜<>\s'\"{}]{1,64}｜>|</?s>|\[/?[A-Z_]{3,40}\]|<</?SYS>>|<(?:start|end)_of_turn>"
)
_MAX_PASSES: Final = 8
"""Removing a token can join the halves of another. A text that still has one after this many passes is refused."""


class ControlTokens:
    """The control tokens of a model and what happens to them in requests."""

    def __init__(self, mode: Literal["strip", "reject"], tokens: Iterable[str]) -> None:
        texts = sorted({token for token in tokens if token})
        self._mode = mode
        self._pattern = re.compile(_any_of(texts) if texts else r"(?!)")

    @classmethod
    def of(
        cls, mode: Literal["allow", "strip", "reject"], tokens: Mapping[str, str | list[str]], sources: Iterable[str]
    ) -> ControlTokens | None:
        """Return those of a model with these special `tokens` and template `sources`; `None` if they are allowed."""
        if mode == "allow":
            return None
        found = {token for source in sources for token in _LOOKS_LIKE_ONE.findall(source)}
        for token in tokens.values():
            if isinstance(token, str):
                found.add(token)
            else:
                found.update(token)
        return cls(mode, found)

    def clean(self, value: Json, param: str) -> Json:
        """Return `value`, decoded JSON, with its texts stripped or checked. The original is not changed."""
        try:
            return self._clean(value, param)
        except RecursionError:
            raise MessagesRefused(f"{param} is nested too deeply", param=param, code="invalid_value") from None

    def _clean(self, value: Json, param: str) -> Json:
        if isinstance(value, str):
            return self._clean_text(value, param)
        if isinstance(value, list):
            return [self._clean(item, f"{param}[{index}]") for index, item in enumerate(value)]
        if isinstance(value, dict):
            return {key: self._clean(item, f"{param}.{key[:64]}") for key, item in value.items()}
        return value

    def _clean_text(self, text: str, param: str) -> str:
        for _ in range(_MAX_PASSES):
            match = self._pattern.search(text)
            if match is None:
                return text
            if self._mode == "reject":
                raise MessagesRefused(
                    f"{param} has {match[0]!r}, a control token of the model; remove it",
                    param=param,
                    code="invalid_value",
                )
            text = self._pattern.sub("", text)
        raise MessagesRefused(
            f"{param} has control tokens inside each other; remove them", param=param, code="invalid_value"
        )


def _any_of(texts: Sequence[str]) -> str:
    """An expression for any of the texts, the longest that fits.

    What they begin with is tried once for all of them: one by one, hundreds of tokens that begin alike would cost
    seconds in a text made of their beginnings.
    """
    shared = commonprefix(texts)  # noqa: RUF071  # of texts, not paths
    branches: dict[str, list[str]] = {}
    for text in texts:
        branches.setdefault(text[len(shared) : len(shared) + 1], []).append(text[len(shared) :])
    optional = "?" if branches.pop("", None) else ""
    if not branches:
        return re.escape(shared)
    return f"{re.escape(shared)}(?:{'|'.join(map(_any_of, branches.values()))}){optional}"
