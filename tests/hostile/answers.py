"""What a replica may answer, from the odd to the endless: whole answers, streams and errors."""

from __future__ import annotations

import json
from collections.abc import Mapping

_MB = 1024 * 1024


def _filled(begin: str, part: str, end: str, size: int) -> bytes:
    return (begin + part * ((size - len(begin) - len(end)) // len(part)) + end).encode()


def _whole(details: str, part: str, end: str, size: int = 15 * _MB) -> bytes:
    begin = '{"generated_text":"Hi","details":{"finish_reason":"length","generated_tokens":1,' + details
    return _filled(begin, part, end + "}}", size)


_TOKEN = '{"id":1,"text":"","logprob":-1.5,"special":false}'
WHOLE: Mapping[str, bytes] = {
    "a prefill of numbers": _whole('"prefill":[', "0,", "0]"),
    "a prefill of objects": _whole('"prefill":[', "{},", "{}]"),
    "empty tokens": _whole('"tokens":[', '{"text":""},', '{"text":""}]'),
    "numbers for tokens": _whole('"tokens":[', "0,", "0]"),
    "tokens": _whole('"tokens":[', _TOKEN + ",", _TOKEN + "]"),
    "likely tokens": _whole(f'"tokens":[{_TOKEN}],"top_tokens":[', f"[{_TOKEN}],", f"[{_TOKEN}]]"),
    "empty likely tokens": _whole(f'"tokens":[{_TOKEN}],"top_tokens":[', "[],", "[]]"),
    "many likely tokens of one": _whole(f'"tokens":[{_TOKEN}],"top_tokens":[[', '{"text":""},', '{"text":""}]]'),
    "objects that nobody wants": _whole('"seed":[', "{},", "{}]"),
    "more than is read": _whole('"seed":[', "{},", "{}]", 20 * _MB),
    "deep lists": b"[" * (15 * _MB),
    "a list of answers": b"[" + b'{"generated_text":""},' * (500_000) + b'{"generated_text":""}]',
    "empty objects": b"[" + b"{}," * (5 * _MB) + b"{}]",
    "a long text": json.dumps({"generated_text": "a" * (15 * _MB)}).encode(),
    "the longest text": json.dumps({"generated_text": "{}" * 750_000}).encode(),
    "calls": json.dumps(
        {"generated_text": '<tool_call>{"name":"f","arguments":{"a":[' + "{}," * 490_000 + "{}]}}</tool_call>"}
    ).encode(),
    "half a pair": b'{"generated_text":"\\ud800"}',
    "no object": b'"text"',
    "nothing": b"",
}

_LAST = '{"token":{"text":"a"},"generated_text":"a","details":{"finish_reason":"length","generated_tokens":1%s}}'
STREAMED: Mapping[str, bytes] = {
    "likely tokens": b"data:"
    + _filled('{"token":{"text":"a"},"top_tokens":[', '{"text":""},', '{"text":""}]}', 4 * _MB),
    "details": b"data:" + _filled(_LAST[:-4] + ',"more":[', "{},", "{}]}}", 4 * _MB),
    "more than an event": b"data:" + _filled('{"token":{"text":"a"},"more":[', "{},", "{}]}", 6 * _MB),
    "lines of data": b"data:\n" * (4 * _MB),
    "lines": b"\n" * (8 * _MB),
    "carriage returns": b"\r" * (8 * _MB),
    "comments": b":\n\n" * (2 * _MB),
    "a line without an end": b"data:" + b"a" * (8 * _MB),
    "a long text": b'data:{"token":{"text":"' + b"a" * (3 * _MB) + b'"}}',
    "deep lists": b"data:" + b"[" * (3 * _MB),
    "half a pair": b'data:{"token":{"text":"\\ud800"}}',
    "an error of lists": b"data:" + _filled('{"error":[', "[],", "[]]}", 3 * _MB),
    "not an event": b"<html>",
    "nothing": b"",
}

ERRORS: Mapping[str, bytes] = {
    "empty objects": b"[" + b"{}," * (5 * _MB) + b"{}]",
    "objects in an error": b'{"error":[' + b"{}," * (5 * _MB) + b"{}]}",
    "keys": b'{"error":{' + b",".join(b'"k%d":0' % number for number in range(800_000)) + b"}}",
    "deep objects": b'{"error":' * (_MB),
    "a long text": b"a" * (15 * _MB),
    "a long message": b'{"error":{"message":"' + b"\\u0001" * (2 * _MB) + b'"}}',
    "half a pair": b'{"error":{"message":"\\ud800"}}',
    "nothing": b"",
}
