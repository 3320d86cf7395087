"""Fields of other servers that change the answer and cannot be served, and names that look like a mistake."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

_NEUTRAL: Final[Mapping[str, tuple[Any, ...]]] = {
    "min_p": (0,),
    "min_tokens": (0,),
    "ignore_eos": (False,),
    "stop_token_ids": ([],),
    "bad_words": ([],),
    "allowed_token_ids": ([],),
    "include_stop_str_in_output": (False,),
    "skip_special_tokens": (True,),
    "use_beam_search": (False,),
    "length_penalty": (1,),
    "logits_processors": ([],),
    "truncate_prompt_tokens": (-1,),
    "prompt_logprobs": (0,),
    "best_of": (1,),
}
"""Each with the values that change nothing."""

_NAME = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SHORTEST = 5
"""Letters of a name that can have one wrong letter. Short names differ in one letter by chance."""


def cannot_be_served(name: str, value: Any) -> bool:
    """Return whether a field is known from other servers or routes, and changes the answer with this value."""
    return name in _NEUTRAL and value not in _NEUTRAL[name]


class Spelling:
    """Finds the known name that an unknown one stands for: other capitals, other dashes, or one wrong letter."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {_squeezed(name): name for name in names}
        self._near = {near: name for squeezed, name in self._names.items() for near in _without_one(squeezed)}

    def meant(self, name: str) -> str | None:
        """Return the known name; None: it looks like none of them."""
        if _NAME.fullmatch(name) is None or name in _NEUTRAL:
            return None
        squeezed = _squeezed(name)
        if squeezed in self._names or len(squeezed) < _SHORTEST:
            return self._names.get(squeezed)
        if squeezed in self._near:
            return self._near[squeezed]
        return next((found for near in _without_one(squeezed) if (found := self._known(near))), None)

    def _known(self, near: str) -> str | None:
        return self._names.get(near) or self._near.get(near)


def _squeezed(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()


def _without_one(name: str) -> Collection[str]:
    return [name[:index] + name[index + 1 :] for index in range(len(name))]
