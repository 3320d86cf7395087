"""Calls that are JSON objects, alone or in a list: `{"name": …, "arguments": {…}}`, or `parameters`."""

from __future__ import annotations

from gateway_lambda.tools.syntaxes.frame import Frame
from gateway_lambda.tools.syntaxes.header import SPACE, Header, Part, literal

BARE = Frame("")
"""Without an opener: Llama 3, xLAM."""
PYTHON_TAG = Frame("<|python_tag|>")
"""Llama 3.1."""
TOOL_CALL = Frame("<tool_call>", ("</tool_call>",))
"""Hermes, Qwen, Granite 3.1 and later."""
TOOL_CALLS_CONTROL = Frame("[TOOL_CALLS]")
"""Mistral before its tokenizer 11, xLAM."""
TOOL_CALL_CONTROL = Frame("<|tool_call|>")
"""Granite 3."""
TOOL_CALLS = Frame("<tool_calls>", ("</tool_calls>",))
"""MiniMax M1, Jamba, Hunyuan."""
TOOLCALL = Frame("<TOOLCALL>", ("</TOOLCALL>",))
"""Nemotron Nano 2."""
FUNCTION_CALL = Frame("<function_call>")
"""Granite 20B."""
FUNCTOOLS = Frame("functools")
"""Phi-4 mini, Firefunction."""
FENCE = Frame("```json", ("```",))
"""xLAM."""

START = Header(SPACE, literal("[", optional=True), SPACE, Part(r"(?=\{)", r""))
"""Before the first object."""
