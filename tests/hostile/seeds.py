"""What is right, which a fuzzer makes odd."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.gateway.scripted_tgi import INFO, token
from tests.gateway.serving import HI
from tests.hostile.arena import TEMPLATE, Case
from tests.hostile.mutation import mutated, written

_TOOL = {
    "type": "function",
    "function": {
        "name": "f",
        "description": "d",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": ["string", "null"], "format": "date"},
                "b": {"type": "array", "items": {"$ref": "#/$defs/x"}},
                "c": {
                    "anyOf": [{"enum": [1, "x", None]}, {"type": "object", "additionalProperties": {"type": "number"}}]
                },
            },
            "required": ["a"],
            "$defs": {"x": {"type": "integer"}},
        },
    },
}
_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": "1", "b": [1, {"x": []}]}'}}
_TURNS = [
    {"role": "system", "content": "S"},
    {"role": "user", "content": [{"type": "text", "text": "t"}, {"type": "text", "text": "u"}]},
    {"role": "assistant", "content": None, "tool_calls": [_CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "r"},
    {"role": "user", "content": "Hi", "name": "n"},
]
_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "s", "strict": True, "schema": _TOOL["function"]["parameters"]},
}
_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
_SAMPLING = {
    "temperature": 0.5,
    "top_p": 0.9,
    "top_k": 5,
    "seed": 1,
    "n": 2,
    "stop": ["a", "b"],
    "max_tokens": 5,
    "frequency_penalty": 0.1,
    "presence_penalty": 0,
    "logit_bias": {},
    "logprobs": True,
    "top_logprobs": 2,
    "stream_options": {"include_usage": True},
    "stream": True,
    "user": "u",
    "metadata": {"a": "b"},
    "repetition_penalty": 1.1,
    "typical_p": 0.9,
    "watermark": False,
    "truncate": 5,
    "reasoning_effort": "low",
}
_CHAT = "/v1/chat/completions"
REQUESTS: tuple[tuple[str, dict[str, Any]], ...] = (
    (_CHAT, {"model": "m", "messages": _TURNS, "tools": [_TOOL], "tool_choice": "auto", "parallel_tool_calls": False}),
    (_CHAT, {"model": "m", "messages": HI, "tools": [_TOOL, _TOOL], "tool_choice": "required"}),
    (
        _CHAT,
        {
            "model": "m",
            "messages": HI,
            "tools": [_TOOL],
            "tool_choice": {"type": "function", "function": {"name": "f"}},
        },
    ),
    (_CHAT, {"model": "m", "messages": HI, "response_format": _SCHEMA}),
    (
        _CHAT,
        {"model": "m", "messages": HI, "response_format": {"type": "json", "value": _SCHEMA["json_schema"]["schema"]}},
    ),
    (_CHAT, {"model": "m", "messages": HI, **_SAMPLING}),
    (_CHAT, {"model": "v", "messages": [{"role": "user", "content": [_IMAGE, {"type": "text", "text": "?"}]}]}),
    (
        _CHAT,
        {
            "model": "m",
            "messages": [*HI, {"role": "assistant", "content": "A"}],
            "continue_final_message": True,
            "add_generation_prompt": False,
            "chat_template_kwargs": {"a": {"b": [1]}},
        },
    ),
    (_CHAT, {"model": "o", "messages": HI}),
    (
        "/v1/completions",
        {"model": "m", "prompt": ["a", "b"], "best_of": 2, "echo": True, "suffix": "", **_SAMPLING, "logprobs": 2},
    ),
    ("/v1/completions", {"model": "m", "prompt": "a", "n": 1, "logprobs": 1, "best_of": 2}),
    ("/v1/embeddings", {"model": "o", "input": ["a"]}),
)

_DETAILS = {
    "finish_reason": "length",
    "generated_tokens": 3,
    "seed": None,
    "prefill": [token("x")],
    "tokens": [token('<tool_call>{"name":"f","arguments":{}}'), token("a"), token("</s>*")],
    "top_tokens": [[token("a"), token("b")]],
}
_EVENTS = [
    {"index": 1, "token": token("a"), "top_tokens": [token("b")], "generated_text": None, "details": None},
    {
        "index": 2,
        "token": token("</s>*"),
        "generated_text": "a",
        "details": {"finish_reason": "eos_token", "generated_tokens": 2, "input_length": 3},
    },
]
_CHUNK = {
    "id": "1",
    "object": "chat.completion.chunk",
    "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}],
}
_ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"logprobs": True, "top_logprobs": 2},
    {"tools": [_TOOL]},
    {"tools": [_TOOL], "tool_choice": "required"},
    {"n": 2, "stop": ["a"], "max_tokens": 2},
)
_RECORD = {
    "keys": [{"name": "k", "sha256": "0" * 64, "runs": ["*"]}],
    "services": [
        {
            "run": "run",
            "url": ["URL"],
            "host": "run.internal",
            "auth": False,
            "min_replicas": 0,
            "rate_limits": [{"prefix": "/", "rps": 100.0, "burst": 2}],
            "instance_types": ["g6.xlarge"],
            "hourly_price": 0.8,
            "spot": True,
            "model": {
                "name": "m",
                "type": "chat",
                "format": "tgi",
                "prefix": "/v1",
                "chat_template": TEMPLATE,
                "eos_token": "</s>",
                "bos_token": "<s>",
                "special_tokens": {"pad_token": "p"},
                "chat_templates": {"tool_use": TEMPLATE},
                "stop_strings": ["x"],
                "limits": {"max_stop_sequences": 2, "max_total_tokens": 100},
                "max_n": 2,
                "default_max_tokens": 5,
                "clamp_max_tokens": True,
                "tools": "hermes",
                "created": 1,
                "vision": True,
                "image_hosts": ["a.b"],
                "upstream_api_key": "k",
                "adapter_id": "a",
                "revision": "r",
                "hub_repo": "h",
            },
        }
    ],
}
_CONFIGURATIONS: tuple[Any, ...] = tuple(
    yaml.safe_load(path.read_text()) for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.yml"))
)


def odd_case(random: Random) -> Case:
    """A case that nobody thought of."""
    match random.randrange(10):
        case 0 | 1 | 2 | 3:
            path, body = random.choice(REQUESTS)
            return {"kind": "request", "path": path, "body": written(mutated(body, random), random)}
        case 4 | 5 | 6:
            return _odd_answer(random)
        case 7 | 8:
            return {"kind": "registry", "text": written(mutated(_RECORD, random), random)}
        case _:
            return {"kind": "configuration", "text": _odd_configuration(random)}


def _odd_configuration(random: Random) -> str:
    """YAML, now and then written as JSON."""
    value = mutated(random.choice(_CONFIGURATIONS), random)
    try:
        if random.random() < 0.8:
            return yaml.safe_dump(value, allow_unicode=random.random() < 0.5)
    except RecursionError:
        pass
    return written(value, random)


def _odd_answer(random: Random) -> Case:
    case: Case = {"kind": "answer", "asked": dict(random.choice(_ASKED))}
    match random.randrange(6):
        case 0 | 1:
            case["body"] = written(mutated({"generated_text": "a", "details": _DETAILS}, random), random)
        case 2 | 3:
            events = [_event(mutated(event, random) if random.random() < 0.6 else event, random) for event in _EVENTS]
            case |= {"stream": True, "body": "".join(events)}
            case["asked"]["stream"] = True
        case 4:
            case["status"] = random.choice((400, 401, 413, 422, 424, 429, 500, 502, 503, 504, 599))
            case["model"] = random.choice("mo")
            case["body"] = written(mutated({"error": {"message": "m"}, "error_type": "validation"}, random), random)
        case _:
            case["body"] = written({"generated_text": "a", "details": _DETAILS}, Random(0))
            case["info"] = written(mutated(INFO, random), random)
            case["tokens"] = written(mutated([{**token("a"), "start": 0, "stop": 0}], random), random)
    return case


def _event(value: Any, random: Random) -> str:
    begin, end = random.choice(
        (("data:", "\n\n"), ("data: ", "\r\n\r\n"), ("event: x\ndata:", "\n\n"), ("data:", "\r\r"))
    )
    return begin + written(value, random) + end
