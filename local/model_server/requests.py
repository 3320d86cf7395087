"""The bodies of `/generate`, `/generate_stream`, `/tokenize` and `/`: TGI's fields, types and defaults.

The source is TGI's router/src/lib.rs. As in TGI, unknown fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

Natural = Annotated[int, Meta(ge=0)]
U32 = Annotated[int, Meta(ge=0, le=2**32 - 1)]
I32 = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
T = TypeVar("T")


class WrongBody(Exception):
    """A body that is not JSON (`syntax`), or is JSON of another shape. `str()` says what was found and where."""

    def __init__(self, message: str, *, syntax: bool) -> None:
        super().__init__(message)
        self.syntax = syntax


class JsonGrammar(Struct, frozen=True, tag_field="type", tag="json"):
    """A JSON schema, or its text."""

    value: Any


class JsonObjectGrammar(JsonGrammar, frozen=True, tag="json_object"):
    """The same by another name."""


class RegexGrammar(Struct, frozen=True, tag_field="type", tag="regex"):
    """A regular expression."""

    value: str


class NamedSchema(Struct, frozen=True):
    """A JSON schema with a name, which has no effect."""

    schema: Any
    name: str | None = None


class JsonSchemaGrammar(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """A JSON schema."""

    value: NamedSchema


Grammar = JsonGrammar | JsonObjectGrammar | RegexGrammar | JsonSchemaGrammar
"""What an answer must match."""


class Parameters(Struct, frozen=True, kw_only=True):
    """`parameters`. These defaults apply if the object is given. If it is absent, `do_sample` is true."""

    best_of: Natural | None = None
    temperature: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    top_k: I32 | None = None
    top_p: float | None = None
    typical_p: float | None = None
    do_sample: bool = False
    max_new_tokens: U32 | UnsetType | None = UNSET
    """`None`: the request says null, which means no limit."""
    return_full_text: bool | None = None
    stop: tuple[str, ...] = ()
    truncate: Natural | None = None
    watermark: bool = False
    details: bool = False
    decoder_input_details: bool = False
    seed: Natural | None = None
    top_n_tokens: U32 | None = None
    grammar: Grammar | None = None
    adapter_id: str | None = None


class GenerateRequest(Struct, frozen=True):
    """The body of `/generate`, `/generate_stream` and `/tokenize`."""

    inputs: str
    parameters: Parameters = Parameters(do_sample=True)


class CompatRequest(GenerateRequest, frozen=True):
    """The body of `/`."""

    stream: bool = False


def read_body(body: bytes, kind: type[T]) -> T:
    """Read a body as `kind`.

    Raises:
        WrongBody: it is something else.
    """
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise WrongBody(str(error), syntax=False) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WrongBody(str(error), syntax=True) from None
