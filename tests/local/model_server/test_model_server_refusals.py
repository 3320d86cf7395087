"""What the model server refuses, with the statuses and rules that TGI's router 3.3.7 was seen to refuse it with.

Where a body cannot be read, the status and the beginning are TGI's. The rest is msgspec's own.
"""

from __future__ import annotations

import json

import pytest

from local.model_server.requests import GenerateRequest, WrongBody, read_body
from tests.local.model_server.conftest import ModelServer, read_events

DATA = "Failed to deserialize the JSON body into the target type: "
SYNTAX = "Failed to parse the request body as JSON: "

UNREADABLE = [
    ("", SYNTAX + "Input data was truncated"),
    ("{", SYNTAX + "Input data was truncated"),
    ('{"inputs":"a",}', SYNTAX + "JSON is malformed: trailing comma in object (byte 14)"),
    ("{'inputs':1}", SYNTAX + "JSON is malformed: object keys must be strings (byte 1)"),
    ('{"inputs":NaN}', SYNTAX + "JSON is malformed: invalid character (byte 10)"),
    (b'{"inputs":"\xff\xfe"}', SYNTAX + "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
    ('{"inputs":"a"} more', SYNTAX + "JSON is malformed: trailing characters (byte 16)"),
    ("{}", DATA + "Object missing required field `inputs`"),
    ("[]", DATA + "Expected `object`, got `array`"),
    ("5", DATA + "Expected `object`, got `int`"),
    ("null", DATA + "Expected `object`, got `null`"),
    ('{"inputs":5}', DATA + "Expected `str`, got `int` - at `$.inputs`"),
    ('{"inputs":"a","parameters":null}', DATA + "Expected `object`, got `null` - at `$.parameters`"),
]
"""Bodies, and what is said of them."""

WRONG_PARAMETERS = [
    ('{"max_new_tokens":-1}', "Expected `int` >= 0 - at `$.parameters.max_new_tokens`"),
    ('{"max_new_tokens":1.5}', "Expected `int | null`, got `float` - at `$.parameters.max_new_tokens`"),
    ('{"max_new_tokens":5.0}', "Expected `int | null`, got `float` - at `$.parameters.max_new_tokens`"),
    ('{"max_new_tokens":"5"}', "Expected `int | null`, got `str` - at `$.parameters.max_new_tokens`"),
    ('{"max_new_tokens":4294967296}', "Expected `int` <= 4294967295 - at `$.parameters.max_new_tokens`"),
    ('{"temperature":true}', "Expected `float | null`, got `bool` - at `$.parameters.temperature`"),
    ('{"temperature":1e400}', "Number out of range - at `$.parameters.temperature`"),
    ('{"do_sample":null}', "Expected `bool`, got `null` - at `$.parameters.do_sample`"),
    ('{"details":null}', "Expected `bool`, got `null` - at `$.parameters.details`"),
    ('{"watermark":"x"}', "Expected `bool`, got `str` - at `$.parameters.watermark`"),
    ('{"return_full_text":1}', "Expected `bool | null`, got `int` - at `$.parameters.return_full_text`"),
    ('{"stop":null}', "Expected `array`, got `null` - at `$.parameters.stop`"),
    ('{"stop":"x"}', "Expected `array`, got `str` - at `$.parameters.stop`"),
    ('{"stop":[1]}', "Expected `str`, got `int` - at `$.parameters.stop[0]`"),
    ('{"top_k":2147483648}', "Expected `int` <= 2147483647 - at `$.parameters.top_k`"),
    ('{"seed":-1}', "Expected `int` >= 0 - at `$.parameters.seed`"),
    ('{"adapter_id":5}', "Expected `str | null`, got `int` - at `$.parameters.adapter_id`"),
    ('{"grammar":5}', "Expected `object | null`, got `int` - at `$.parameters.grammar`"),
    ('{"grammar":{"type":"foo","value":1}}', "Invalid value 'foo' - at `$.parameters.grammar.type`"),
    ('{"grammar":{"type":"json"}}', "Object missing required field `value` - at `$.parameters.grammar`"),
    ('{"grammar":{"value":"x"}}', "Object missing required field `type` - at `$.parameters.grammar`"),
    (
        '{"grammar":{"type":"regex","value":5}}',
        "Expected `str`, got `int` - at `$.parameters.grammar.value`",
    ),
    (
        '{"grammar":{"type":"json_schema","value":{}}}',
        "Object missing required field `schema` - at `$.parameters.grammar.value`",
    ),
]
"""`parameters`, and what is said of them in a body that begins `{"inputs":"a","parameters":`."""

INVALID = [
    ({"max_new_tokens": 0}, "`max_new_tokens` must be strictly positive"),
    ({"temperature": 0}, "`temperature` must be strictly positive"),
    ({"temperature": -1.0}, "`temperature` must be strictly positive"),
    ({"temperature": 1e-46}, "`temperature` must be strictly positive"),
    ({"top_p": 1.0}, "`top_p` must be > 0.0 and < 1.0"),
    ({"top_p": 0.99999999}, "`top_p` must be > 0.0 and < 1.0"),
    ({"top_p": 0}, "`top_p` must be > 0.0 and < 1.0"),
    ({"typical_p": 1}, "`typical_p` must be > 0.0 and < 1.0"),
    ({"top_k": 0}, "`top_k` must be strictly positive"),
    ({"top_k": -1}, "`top_k` must be strictly positive"),
    ({"repetition_penalty": 0}, "`repetition_penalty` must be strictly positive"),
    ({"frequency_penalty": 2.1}, "`frequency_penalty` must be >= -2.0 and <= 2.0"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "`stop` supports up to 4 stop sequences. Given: 5"),
    ({"best_of": 3}, "`best_of` must be > 0 and <= 2. Given: 3"),
    ({"best_of": 2}, "you must use sampling when `best_of` is > 1"),
    ({"best_of": 2, "do_sample": True, "seed": 1}, "`seed` must not be set when `best_of` > 1"),
    ({"seed": 2**64}, "`seed` must be <= 18446744073709551615. Given: 18446744073709551616"),
    ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    ({"truncate": 0}, "`truncate` must be strictly positive and less than 8191. Given: 0"),
    ({"truncate": 99999}, "`truncate` must be strictly positive and less than 8191. Given: 99999"),
    ({"grammar": {"type": "json", "value": 5}}, "grammar is not supported"),
    (
        {"grammar": {"type": "json", "value": "{"}},
        "grammar is not valid: Input data was truncated",
    ),
    (
        {"grammar": {"type": "json", "value": {"type": "object"}}},
        "grammar is not valid: Grammar must have a 'properties' field",
    ),
    (
        {"grammar": {"type": "json", "value": {"properties": 5}}},
        'grammar is not valid: 5 is not of type "object"',
    ),
    (
        {"grammar": {"type": "json_schema", "value": {"schema": 5}}},
        'grammar is not valid: 5 is not of types "boolean", "object"',
    ),
    (
        {"grammar": {"type": "json", "value": {"properties": {"a": {"type": "nothing"}}, "required": ["a"]}}},
        "cannot compile regex from schema: Unsupported type: nothing",
    ),
    (
        {"grammar": {"type": "regex", "value": "(?=a)b"}},
        "grammar is not supported: llama.cpp cannot hold an answer to this regular expression",
    ),
    (
        {"grammar": {"type": "regex", "value": "("}},
        "grammar is not valid: missing ), unterminated subpattern at position 0",
    ),
    ({"watermark": True}, "`watermark` is not supported: llama.cpp, which runs the stand-in model, has none"),
    (
        {"adapter_id": "lora"},
        "`adapter_id` must be absent: the stand-in model has no LoRA adapters. Given: lora",
    ),
]
"""`parameters` of the right types, and the rule that they break."""


def refusal(body: bytes) -> str:
    try:
        read_body(body, GenerateRequest)
    except WrongBody as error:
        return (SYNTAX if error.syntax else DATA) + str(error)
    return "read"


@pytest.mark.parametrize(("body", "text"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_refused_with_the_place(body: str | bytes, text: str) -> None:
    assert refusal(body if isinstance(body, bytes) else body.encode()) == text


@pytest.mark.parametrize(("parameters", "text"), WRONG_PARAMETERS)
def test_a_parameter_of_another_type_is_refused_with_the_path(parameters: str, text: str) -> None:
    assert refusal(f'{{"inputs":"a","parameters":{parameters}}}'.encode()) == f"{DATA}{text}"


@pytest.mark.parametrize(
    "body",
    [
        '{"inputs":"a","stream":"ignored","zzz":[{"a":1}],"parameters":{"zzz":null}}',
        '{"inputs":"a","parameters":{"grammar":{"value":{"properties":{}},"type":"json"}}}',
        '{"inputs":"a","parameters":{"max_new_tokens":null,"seed":18446744073709551615,"temperature":1}}',
        '\n\t{ "inputs" : "\\ud83d\\ude42 \\u00e9" , "parameters" : {} }\n',
    ],
)
def test_what_tgi_reads_is_read(body: str) -> None:
    assert refusal(body.encode()) == "read"


def test_nesting_without_end_is_refused_and_does_not_end_the_server(model_server: ModelServer) -> None:
    headers = {"content-type": "application/json"}
    deep = '{"properties":{"a":' * 5000 + "{}" + "}}" * 5000
    bodies = (
        '{"x":' + "[" * 100_000,
        f'{{"inputs":"a","parameters":{{"grammar":{{"type":"json","value":{deep}}}}}}}',
        json.dumps({"inputs": "a", "parameters": {"grammar": {"type": "json", "value": deep}}}),
    )
    answers = [model_server.http.post("/generate", content=body, headers=headers) for body in bodies]

    said = "Input validation error: grammar is not valid: the schema is nested too deeply"
    assert [answer.status_code for answer in answers] == [400, 400, 422]
    assert answers[2].json()["error"] == said


def test_a_refused_body_is_a_plain_text(model_server: ModelServer) -> None:
    headers = {"content-type": "application/json"}
    answers = [
        model_server.http.post("/generate_stream", content=body, headers=headers)
        for body in ('{"inputs":5}', '{"inputs":', '{"inputs":"a"}')
    ]

    kinds = [(answer.status_code, answer.headers["content-type"]) for answer in answers]
    assert kinds == [
        (422, "text/plain; charset=utf-8"),
        (400, "text/plain; charset=utf-8"),
        (200, "text/event-stream"),
    ]
    assert answers[0].text == f"{DATA}Expected `str`, got `int` - at `$.inputs`"


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_called_json_is_refused(model_server: ModelServer, kind: str | None) -> None:
    headers = {"content-type": kind} if kind else {}
    answer = model_server.http.post("/generate", content='{"inputs":"a"}', headers=headers)

    assert (answer.status_code, answer.text) == (415, "Expected request with `Content-Type: application/json`")


def test_a_body_over_two_megabytes_is_refused(model_server: ModelServer) -> None:
    answer = model_server.http.post("/generate", json={"inputs": "a" * 2_000_000})

    assert (answer.status_code, answer.text) == (413, "Failed to buffer the request body: length limit exceeded")


@pytest.mark.parametrize(("parameters", "rule"), INVALID)
def test_a_broken_rule_is_a_422_with_the_rule(
    model_server: ModelServer, parameters: dict[str, object], rule: str
) -> None:
    answer = model_server.http.post("/generate", json={"inputs": "a", "parameters": parameters})

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
    assert answer.text == json.dumps(
        {"error": f"Input validation error: {rule}", "error_type": "validation"}, separators=(",", ":")
    )


def test_an_empty_prompt_is_refused(model_server: ModelServer) -> None:
    answer = model_server.http.post("/generate", json={"inputs": ""})

    assert answer.json() == {"error": "Input validation error: `inputs` cannot be empty", "error_type": "validation"}


def test_a_prompt_that_does_not_fit_is_refused_with_the_numbers(model_server: ModelServer) -> None:
    errors = [
        model_server.http.post("/generate", json={"inputs": "a " * words, "parameters": {"max_new_tokens": tokens}})
        for words, tokens in ((9000, 5), (7500, 1000))
    ]

    told = [error.json()["error"].removeprefix("Input validation error: ") for error in errors]
    assert told == [
        "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 9001 `inputs` tokens and 5 `max_new_tokens`",
        "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 7501 `inputs` tokens and 1000 `max_new_tokens`",
    ]


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({"best_of": 2}, "`best_of` != 1 is not supported when streaming tokens"),
        ({"best_of": 0}, "`best_of` != 1 is not supported when streaming tokens"),
        (
            {"decoder_input_details": True},
            "`decoder_input_details` == true is not supported when streaming tokens",
        ),
        ({"temperature": 0}, "`temperature` must be strictly positive"),
        (
            {"grammar": {"type": "regex", "value": "("}},
            "grammar is not valid: missing ), unterminated subpattern at position 0",
        ),
    ],
)
def test_in_a_stream_a_refusal_is_its_only_event(
    model_server: ModelServer, parameters: dict[str, object], rule: str
) -> None:
    answer = model_server.http.post("/generate_stream", json={"inputs": "a", "parameters": parameters})

    assert answer.status_code == 200
    assert read_events(answer.text) == [{"error": f"Input validation error: {rule}", "error_type": "validation"}]


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/generate", 405, "POST"),
        ("DELETE", "/info", 405, "GET,HEAD"),
        ("GET", "/v1/chat/completions", 405, "POST"),
        ("OPTIONS", "/generate", 200, "POST"),
        ("HEAD", "/info", 200, None),
    ],
)
def test_other_methods_are_answered_as_tgi_does(
    model_server: ModelServer, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = model_server.http.request(method, path)

    assert (answer.status_code, answer.content, answer.headers.get("allow")) == (status, b"", allow)


def test_refusals_are_counted_by_kind(model_server: ModelServer) -> None:
    model_server.http.post("/generate", json={"inputs": ""})
    before = model_server.metric('tgi_request_failure{err="validation"}')
    model_server.http.post("/generate", json={"inputs": ""})

    assert model_server.metric('tgi_request_failure{err="validation"}') == before + 1
