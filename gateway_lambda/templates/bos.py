"""One beginning-of-sequence token, not two (docs/translation.md#one-bos).

TGI's `/generate` tokenizes with special tokens, so a tokenizer that adds a BOS also adds it to a prompt whose template
has printed one.
"""

from __future__ import annotations

from typing import Final, Literal

_BOS_OF_ADDING_TOKENIZERS: Final = frozenset(["<s>", "<bos>", "<|begin_of_text|>", "<｜begin▁of▁sentence｜>"])
"""The BOS of the Llama, Mistral and Gemma families and of those that use their tokenizer classes."""


def strips_bos(
    mode: Literal["auto", "always", "never"], bos_token: str | None, starts_with_bos_added: bool | None
) -> bool:
    """Return whether the gateway removes one leading BOS from the rendered text.

    `starts_with_bos_added`: the answer of `/tokenize`, or `None` without an answer. Then the family of the tokenizer
    decides, which its BOS tells.
    """
    if not bos_token or mode == "never":
        return False
    if mode == "always":
        return True
    return bos_token in _BOS_OF_ADDING_TOKENIZERS if starts_with_bos_added is None else starts_with_bos_added
