"""Calls with the name of the function before JSON arguments, which are passed on as they come."""

from __future__ import annotations

from gateway_lambda.tools.syntaxes.frame import Frame
from gateway_lambda.tools.syntaxes.header import NAME, SPACE, Header, Part, literal

_ARGUMENTS = Part(r"(?=\{)", "")
_CALL_ID = literal("[CALL_ID]")
_NAMED = r"[a-zA-Z0-9_-]"

MISTRAL = Frame(
    "[TOOL_CALLS]",
    header=Header(
        SPACE,
        NAME,
        Part(rf"(?:{_CALL_ID.whole}(?P<id>[a-zA-Z0-9]+))?", rf"(?:{_CALL_ID.whole}[a-zA-Z0-9]*|{_CALL_ID.begun})"),
        literal("[ARGS]", optional=True),
        SPACE,
        _ARGUMENTS,
    ),
    inner=frozenset(("[CALL_ID]", "[ARGS]")),
)
"""Mistral since its tokenizer 11: `[TOOL_CALLS]name[ARGS]{…}`, or with `[CALL_ID]` and an id before `[ARGS]`."""

FUNCTION = Frame("<function=", ("</function>",), Header(NAME, literal(">"), SPACE, _ARGUMENTS))
"""Llama 3.1 by its own card, Functionary 3.1: `<function=name>{…}</function>`."""

_BEGIN, _END = "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>"
_BEGIN_ALL, _END_ALL = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"
_SEPARATOR = "<｜tool▁sep｜>"
_FIRST = (SPACE, literal(_BEGIN), SPACE)
_FENCED = (literal("function" + _SEPARATOR), NAME, SPACE, literal("```json"), SPACE, _ARGUMENTS)
_SHORT = (NAME, literal(_SEPARATOR), SPACE, _ARGUMENTS)


def _deepseek(*call: Part, fence: tuple[str, ...]) -> tuple[Frame, Frame]:
    closers, inner = (*fence, _END, _END_ALL), frozenset((_BEGIN, _SEPARATOR))
    return (
        Frame(_BEGIN_ALL, closers, Header(*_FIRST, *call), inner=inner),
        Frame(_BEGIN, closers, Header(SPACE, *call), inner=inner - {_BEGIN}),
    )


DEEPSEEK = (*_deepseek(*_FENCED, fence=("```",)), *_deepseek(*_SHORT, fence=()))
"""DeepSeek V2.5, V3 and R1, with the arguments in a fence; V3.1, without."""

_KIMI_BEGIN, _KIMI_END = "<|tool_call_begin|>", "<|tool_call_end|>"
_KIMI_ID = Part(
    rf"(?P<id>(?:functions\.)?(?P<name>{_NAMED}+):[0-9]+)",
    rf"(?:{literal('functions.').begun}|(?:functions\.)?{_NAMED}*|(?:functions\.)?{_NAMED}+:[0-9]*)",
)
_KIMI = (SPACE, _KIMI_ID, SPACE, literal("<|tool_call_argument_begin|>"), SPACE, _ARGUMENTS)
_KIMI_CLOSERS = (_KIMI_END, "<|tool_calls_section_end|>")
_KIMI_INNER = frozenset((_KIMI_BEGIN, "<|tool_call_argument_begin|>"))
KIMI = (
    Frame(
        "<|tool_calls_section_begin|>",
        _KIMI_CLOSERS,
        Header(SPACE, literal(_KIMI_BEGIN), *_KIMI),
        inner=_KIMI_INNER,
    ),
    Frame(_KIMI_BEGIN, _KIMI_CLOSERS, Header(*_KIMI), inner=_KIMI_INNER - {_KIMI_BEGIN}),
)
"""Kimi K2: `functions.name:0`, which is the id of the call, then its arguments."""
