"""The bodies of requests: TGI's fields, types and defaults (router/src/lib.rs)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from local.model_server.json_reader import JsonReader

_U32 = 2**32 - 1
_U64 = 2**64 - 1


@dataclass(frozen=True)
class Grammar:
    """What an answer has to match, as it was asked for."""

    kind: Literal["json", "regex", "json_schema"]
    value: Any


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """`parameters`. These defaults hold where the object is given; where it is not, `do_sample` is true."""

    best_of: int | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: int | None = None
    open_ended: bool = False
    """Whether `max_new_tokens` was given as null."""
    return_full_text: bool | None = None
    stop: tuple[str, ...] = ()
    truncate: int | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: int | None = None
    top_n_tokens: int | None = None
    grammar: Grammar | None = None
    adapter_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class GenerateRequest:
    """The body of `/generate`, `/generate_stream` and `/tokenize`; `stream` is of `/` alone."""

    inputs: str
    parameters: Parameters
    stream: bool = False


def read_generate_request(body: bytes) -> GenerateRequest:
    """Read a body.

    Raises:
        WrongBody: in serde's words.
    """
    values = JsonReader(body).struct("struct GenerateRequest", _REQUEST, required=("inputs",))
    return GenerateRequest(inputs=values["inputs"], parameters=values.get("parameters", _ABSENT))


def read_compat_request(body: bytes) -> GenerateRequest:
    """Read a body of `/`.

    Raises:
        WrongBody: in serde's words.
    """
    fields = {**_REQUEST, "stream": JsonReader.boolean}
    values = JsonReader(body).struct("struct CompatGenerateRequest", fields, required=("inputs",))
    return GenerateRequest(
        inputs=values["inputs"], parameters=values.get("parameters", _ABSENT), stream=values.get("stream", False)
    )


def _read_parameters(reader: JsonReader) -> Parameters:
    values = reader.struct("struct GenerateParameters", _PARAMETERS)
    stop: tuple[str, ...] = tuple(values.pop("stop", ()))
    open_ended = "max_new_tokens" in values and values["max_new_tokens"] is None
    return Parameters(**values, stop=stop, open_ended=open_ended)


def _read_grammar(reader: JsonReader) -> Grammar:
    """`{"type": …, "value": …}`; a value in front of its type is read first and checked after."""
    seen: list[str] = []

    def read_type(reader: JsonReader) -> str:
        kind = reader.word("variant identifier")
        if kind not in _GRAMMARS:
            reader.wrong(f"unknown variant `{kind}`, expected one of `json`, `json_object`, `regex`, `json_schema`")
        seen.append(kind)
        return kind

    def read_value(reader: JsonReader) -> Any:
        return _GRAMMARS[seen[0]][1](reader) if seen else reader.anything()

    values = reader.struct(
        "adjacently tagged enum GrammarType", {"type": read_type, "value": read_value}, required=("type", "value")
    )
    kind, _ = _GRAMMARS[values["type"]]
    value = values["value"]
    if kind == "regex" and not isinstance(value, str):
        reader.wrong("invalid type: expected a string", "value")
    if kind == "json_schema" and not (isinstance(value, dict) and "schema" in value):
        reader.wrong("missing field `schema`", "value")
    return Grammar(kind, value)


def _read_json_schema(reader: JsonReader) -> dict[str, Any]:
    fields = {"name": _optional(JsonReader.string), "schema": JsonReader.anything}
    return reader.struct("struct JsonSchemaConfig", fields, required=("schema",))


def _optional(read: Callable[[JsonReader], Any]) -> Callable[[JsonReader], Any]:
    return lambda reader: reader.optional(read)


def _integer(kind: str, smallest: int, largest: int) -> Callable[[JsonReader], Any]:
    return _optional(lambda reader: reader.integer(kind, smallest, largest))


_GRAMMARS: Mapping[str, tuple[Literal["json", "regex", "json_schema"], Callable[[JsonReader], Any]]] = {
    "json": ("json", JsonReader.anything),
    "json_object": ("json", JsonReader.anything),
    "regex": ("regex", JsonReader.string),
    "json_schema": ("json_schema", _read_json_schema),
}
_FLOAT = _optional(lambda reader: reader.number("f32"))
_PARAMETERS: Mapping[str, Callable[[JsonReader], Any]] = {
    "best_of": _integer("usize", 0, _U64),
    "temperature": _FLOAT,
    "repetition_penalty": _FLOAT,
    "frequency_penalty": _FLOAT,
    "top_k": _integer("i32", -(2**31), 2**31 - 1),
    "top_p": _FLOAT,
    "typical_p": _FLOAT,
    "do_sample": JsonReader.boolean,
    "max_new_tokens": _integer("u32", 0, _U32),
    "return_full_text": _optional(JsonReader.boolean),
    "stop": lambda reader: reader.array(JsonReader.string),
    "truncate": _integer("usize", 0, _U64),
    "watermark": JsonReader.boolean,
    "details": JsonReader.boolean,
    "decoder_input_details": JsonReader.boolean,
    "seed": _integer("u64", 0, _U64),
    "top_n_tokens": _integer("u32", 0, _U32),
    "grammar": _optional(_read_grammar),
    "adapter_id": _optional(JsonReader.string),
}
_REQUEST: Mapping[str, Callable[[JsonReader], Any]] = {"inputs": JsonReader.string, "parameters": _read_parameters}
_ABSENT = Parameters(do_sample=True)
