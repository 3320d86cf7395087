"""The usage of an answer that passes through, which its server wrote at the answer's end, or at its beginning.

Nothing is decoded, and of a long answer only the end and the beginning are looked at. The names are those of OpenAI's
API, of its Responses API and of Anthropic's (`usage`), and of TGI (`details`, and headers of a whole answer). A stream
without them has no usage: servers write several tokens in one event, and events without a token, so the number of
events is not it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from gateway_lambda.server.recorded import Usage

_OBJECTS = (b'"usage"', b'"details"')
_BEGINS = re.compile(rb'"[a-z]+"\s*:\s*\{')
_PROMPT = re.compile(rb'"(?:prompt_tokens|input_tokens|input_length)"\s*:\s*(\d{1,12})')
_COMPLETION = re.compile(rb'"(?:completion_tokens|output_tokens|generated_tokens)"\s*:\s*(\d{1,12})')
_PROMPTED, _GENERATED = b"x-prompt-tokens", b"x-generated-tokens"
_COUNT = re.compile(rb"\d{1,12}")
_LONGEST = 2048
"""Bytes of such an object, with the details that some servers give."""
_MOST_LOOKS = 4
"""A text or a token can be the word as well."""
_END = 4096
"""Bytes of the end that are looked at, where the last piece is short, and of the beginning."""


def usage_at_end(headers: Mapping[bytes, bytes], older: bytes, before: bytes, last: bytes) -> Usage | None:
    """Return the usage of an answer. `headers`: those of the response. `older`, `before`, `last`: its last pieces."""
    if _GENERATED in headers:
        return Usage(_count(headers.get(_PROMPTED)), _count(headers[_GENERATED]))
    return usage_in(last if len(last) >= _END else older[-_END:] + before[-_END:] + last)


def usage_at_start(first: bytes) -> Usage | None:
    """Return the usage that stands before the rest of an answer: llama.cpp writes it before a list of embeddings.

    `first`: its first piece.
    """
    return usage_in(first[:_END])


def usage_in(end: bytes) -> Usage | None:
    """Return the last usage in the end of an answer."""
    for name in _OBJECTS:
        at = len(end)
        for _ in range(_MOST_LOOKS):
            at = end.rfind(name, 0, at)
            if at < 0:
                break
            if _BEGINS.match(end, at) is not None:
                prompt = _PROMPT.search(end, at, at + _LONGEST)
                completion = _COMPLETION.search(end, at, at + _LONGEST)
                if prompt is not None or completion is not None:
                    return Usage(prompt and int(prompt[1]), completion and int(completion[1]))
    return None


def _count(value: bytes | None) -> int | None:
    return int(value) if value is not None and _COUNT.fullmatch(value) else None
