"""What the model server refuses, byte for byte as TGI's router 3.3.7 was seen to refuse it.

The texts of bodies that cannot be read come from Rust's serde_json, with its places.
"""

from __future__ import annotations

import json

import pytest

from local.model_server.json_text import WrongBody
from local.model_server.requests import read_generate_request
from tests.local.model_server.conftest import ModelServer, read_events

DATA = "Failed to deserialize the JSON body into the target type: "
SYNTAX = "Failed to parse the request body as JSON: "

UNREADABLE = [
    ("", SYNTAX + "EOF while parsing a value at line 1 column 0"),
    ("{", SYNTAX + "EOF while parsing an object at line 1 column 1"),
    ('{"inputs":"a",}', SYNTAX + "trailing comma at line 1 column 15"),
    ("{'inputs':1}", SYNTAX + "key must be a string at line 1 column 2"),
    ('{"inputs":NaN}', SYNTAX + "inputs: expected value at line 1 column 11"),
    ('{"inputs":"\\ud800"}', SYNTAX + "inputs: unexpected end of hex escape at line 1 column 18"),
    (b'{"inputs":"\xff\xfe"}', SYNTAX + "inputs: invalid unicode code point at line 1 column 14"),
    (
        '{"inputs":"a","parameters":{"temperature":1e400}}',
        SYNTAX + "parameters.temperature: number out of range at line 1 column 47",
    ),
    ("{}", DATA + "missing field `inputs` at line 1 column 2"),
    ("[]", DATA + "invalid length 0, expected struct GenerateRequest with 2 elements at line 1 column 2"),
    ("5", DATA + "invalid type: integer `5`, expected struct GenerateRequest at line 1 column 1"),
    ('"x"', DATA + 'invalid type: string "x", expected struct GenerateRequest at line 1 column 3'),
    ("null", DATA + "invalid type: null, expected struct GenerateRequest at line 1 column 4"),
    ('{"inputs":5}', DATA + "inputs: invalid type: integer `5`, expected a string at line 1 column 11"),
    ('{"inputs":"a","inputs":"b"}', DATA + "duplicate field `inputs` at line 1 column 22"),
    (
        '{"inputs":"a","parameters":null}',
        DATA + "parameters: invalid type: null, expected struct GenerateParameters at line 1 column 31",
    ),
]
"""Bodies, and what is said of them."""

WRONG_PARAMETERS = [
    ('{"max_new_tokens":-1}', "max_new_tokens: invalid value: integer `-1`, expected u32 at line 1 column 47"),
    ('{"max_new_tokens":1.5}', "max_new_tokens: invalid type: floating point `1.5`, expected u32 at line 1 column 48"),
    ('{"max_new_tokens":"5"}', 'max_new_tokens: invalid type: string "5", expected u32 at line 1 column 48'),
    (
        '{"max_new_tokens":4294967296}',
        "max_new_tokens: invalid value: integer `4294967296`, expected u32 at line 1 column 55",
    ),
    ('{"temperature":true}', "temperature: invalid type: boolean `true`, expected f32 at line 1 column 46"),
    ('{"do_sample":null}', "do_sample: invalid type: null, expected a boolean at line 1 column 44"),
    ('{"details":null}', "details: invalid type: null, expected a boolean at line 1 column 42"),
    ('{"watermark":"x"}', 'watermark: invalid type: string "x", expected a boolean at line 1 column 43'),
    ('{"return_full_text":1}', "return_full_text: invalid type: integer `1`, expected a boolean at line 1 column 48"),
    ('{"stop":null}', "stop: invalid type: null, expected a sequence at line 1 column 39"),
    ('{"stop":"x"}', 'stop: invalid type: string "x", expected a sequence at line 1 column 38'),
    ('{"stop":[1]}', "stop[0]: invalid type: integer `1`, expected a string at line 1 column 37"),
    ('{"top_k":2147483648}', "top_k: invalid value: integer `2147483648`, expected i32 at line 1 column 46"),
    ('{"seed":-1}', "seed: invalid value: integer `-1`, expected u64 at line 1 column 37"),
    (
        '{"seed":18446744073709551616}',
        "seed: invalid type: floating point `1.8446744073709552e19`, expected u64 at line 1 column 55",
    ),
    ('{"adapter_id":5}', "adapter_id: invalid type: integer `5`, expected a string at line 1 column 42"),
    (
        '{"grammar":5}',
        "grammar: invalid type: integer `5`, expected adjacently tagged enum GrammarType at line 1 column 39",
    ),
    (
        '{"grammar":{"type":"foo","value":1}}',
        "grammar.type: unknown variant `foo`, expected one of `json`, `json_object`, `regex`, `json_schema` "
        "at line 1 column 51",
    ),
    ('{"grammar":{"type":"json"}}', "grammar: missing field `value` at line 1 column 53"),
    ('{"grammar":{"value":"x"}}', "grammar: missing field `type` at line 1 column 51"),
    (
        '{"grammar":{"type":"regex","value":5}}',
        "grammar.value: invalid type: integer `5`, expected a string at line 1 column 63",
    ),
    (
        '{"grammar":{"type":"json_schema","value":{}}}',
        "grammar.value: missing field `schema` at line 1 column 70",
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
    ({"top_n_tokens": 6}, "`top_n_tokens` must be >= 0 and <= 5. Given: 6"),
    ({"truncate": 0}, "`truncate` must be strictly positive and less than 2047. Given: 0"),
    ({"truncate": 99999}, "`truncate` must be strictly positive and less than 2047. Given: 99999"),
    ({"grammar": {"type": "json", "value": 5}}, "grammar is not supported"),
    (
        {"grammar": {"type": "json", "value": "{"}},
        "grammar is not valid: EOF while parsing an object at line 1 column 1",
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
        read_generate_request(body)
    except WrongBody as error:
        return (SYNTAX if error.syntax else DATA) + str(error)
    return "read"


@pytest.mark.parametrize(("body", "text"), UNREADABLE)
def test_a_body_that_cannot_be_read_is_refused_with_the_place(body: str | bytes, text: str) -> None:
    assert refusal(body if isinstance(body, bytes) else body.encode()) == text


@pytest.mark.parametrize(("parameters", "text"), WRONG_PARAMETERS)
def test_a_parameter_of_another_type_is_refused_with_path_and_place(parameters: str, text: str) -> None:
    assert refusal(f'{{"inputs":"a","parameters":{parameters}}}'.encode()) == f"{DATA}parameters.{text}"


@pytest.mark.parametrize(
    "body",
    [
        '["a"]',
        '["a",{"seed":1}]',
        '{"inputs":"a"} what follows is not looked at',
        '{"zzz":[{"a":"\\ud800"}],"inputs":"a","parameters":{"zzz":null}}',
        '{"inputs":"a","parameters":{"grammar":{"value":{"properties":{}},"type":"json"}}}',
        '\n\t{ "inputs" : "\\ud83d\\ude42 \\u00e9" , "parameters" : [] }\n',
    ],
)
def test_what_tgi_reads_is_read(body: str) -> None:
    assert refusal(body.encode()) == "read"


def test_places_count_lines_and_bytes() -> None:
    body = '{\n  "inputs": "é",\n  "parameters": {"é": 1, "seed": "é"}}'

    assert refusal(body.encode()) == (
        f'{DATA}parameters.seed: invalid type: string "é", expected u64 at line 3 column 38'
    )


def test_nesting_is_read_to_a_depth_of_127() -> None:
    assert refusal(b'{"x":' + b"[" * 126 + b"]" * 126 + b',"inputs":"a"}') == "read"
    assert refusal(b'{"x":' + b"[" * 127) == SYNTAX + "x: recursion limit exceeded at line 1 column 132"


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
    assert answers[0].text == f"{DATA}inputs: invalid type: integer `5`, expected a string at line 1 column 11"


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
        for words, tokens in ((3000, 5), (1500, 1000))
    ]

    told = [error.json()["error"].removeprefix("Input validation error: ") for error in errors]
    assert told == [
        "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3001 `inputs` tokens and 5 `max_new_tokens`",
        "`inputs` tokens + `max_new_tokens` must be <= 2048. Given: 1501 `inputs` tokens and 1000 `max_new_tokens`",
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
        ("GET", "/v1/chat/completions", 404, None),
        ("POST", "/nope", 404, None),
        ("OPTIONS", "/generate", 200, "POST"),
        ("HEAD", "/info", 200, None),
    ],
)
def test_other_paths_and_methods_are_answered_as_tgi_does(
    model_server: ModelServer, method: str, path: str, status: int, allow: str | None
) -> None:
    answer = model_server.http.request(method, path)

    assert (answer.status_code, answer.content, answer.headers.get("allow")) == (status, b"", allow)


def test_refusals_are_counted_by_kind(model_server: ModelServer) -> None:
    model_server.http.post("/generate", json={"inputs": ""})
    before = model_server.metric('tgi_request_failure{err="validation"}')
    model_server.http.post("/generate", json={"inputs": ""})

    assert model_server.metric('tgi_request_failure{err="validation"}') == before + 1
