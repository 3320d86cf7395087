"""The special tokens of a model, from the files of its repository (docs/translation.md#where-a-template-comes-from).

A token is a text or an object with `content`, in `tokenizer_config.json`, or else in `special_tokens_map.json`. If both
have no `eos_token`, it is the text of the first end-of-sequence id. A `bos_token` or `pad_token` that is *absent* is
the text of its id. One that is null stays undefined, because transformers does not pass it to templates either.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

STANDARD = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
LISTS = ("additional_special_tokens", "extra_special_tokens")
TOKENIZER_CONFIG = "tokenizer_config.json"
TOKENS_MAP = "special_tokens_map.json"
CONFIGS = ("generation_config.json", "config.json")

_NUMBER = re.compile(r"[0-9]{1,18}")

ReadJson = Callable[[str], Mapping[str, Any]]
"""A function that returns a JSON file of the repository; an empty object for a missing file. Raises `HubError`."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """The texts of special tokens."""

    eos: str | None
    bos: str | None
    others: Mapping[str, str | list[str]]
    """Further template variables: `pad_token`, `additional_special_tokens`, …"""
    ends: tuple[str, ...]
    """Every text that ends an answer: `eos`, then the texts of the other end-of-sequence ids."""


def read_tokens(read: ReadJson) -> Tokens:
    """Return the special tokens of a repository. Missing tokens are left out; none is required."""
    variables = _variables(read)
    for name in ("bos_token", "pad_token"):
        if name not in variables and name not in read(TOKENIZER_CONFIG):
            for text in _texts(read, _ids(read, name)[:1]):
                variables[name] = text
    ends = _texts(read, _ids(read, "eos_token"))
    eos, bos = variables.pop("eos_token", None), variables.pop("bos_token", None)
    eos = eos if isinstance(eos, str) else next(iter(ends), None)
    return Tokens(
        eos=eos,
        bos=bos if isinstance(bos, str) else None,
        others=variables,
        ends=tuple(dict.fromkeys((*((eos,) if eos else ()), *ends))),
    )


def _variables(read: ReadJson) -> dict[str, str | list[str]]:
    """Return the tokens that the files name. The tokenizer's own file comes first."""
    variables: dict[str, str | list[str]] = {}
    for file in (TOKENIZER_CONFIG, TOKENS_MAP):
        for name, token in _named(read(file)):
            variables.setdefault(name, token)
    return variables


def _named(config: Mapping[str, Any]) -> Iterator[tuple[str, str | list[str]]]:
    for name in STANDARD:
        token = _content(config.get(name))
        if token is not None:
            yield name, token
    for name in LISTS:
        value: object = config.get(name)
        if isinstance(value, list):
            texts = [text for text in map(_content, cast(list[object], value)) if text is not None]
            if texts:
                yield "additional_special_tokens", texts
        elif isinstance(value, Mapping):
            for key, token in cast(Mapping[str, object], value).items():
                text = _content(token)
                if text is not None:
                    yield key, text


def _content(token: object) -> str | None:
    """Return the text of a token that is a text or an object."""
    if isinstance(token, Mapping):
        token = cast(Mapping[str, object], token).get("content")
    return token if isinstance(token, str) and token else None


def _ids(read: ReadJson, token: str) -> list[int]:
    """Return the ids of a token in the configuration of generation, then in that of the model, each once."""
    found: dict[int, None] = {}
    for file in CONFIGS:
        config = read(file)
        nested: object = config.get("text_config")  # models with several kinds of input have it there
        layers = [config, cast(Mapping[str, Any], nested)] if isinstance(nested, Mapping) else [config]
        for layer in layers:
            value: object = layer.get(f"{token}_id")
            for one in cast(list[object], value) if isinstance(value, list) else [value]:
                if isinstance(one, int) and not isinstance(one, bool):
                    found[one] = None
    return list(found)


def _texts(read: ReadJson, ids: Sequence[int]) -> list[str]:
    """Return the texts of ids, without ids that no file has. The large `tokenizer.json` is read only if ids are
    left."""
    if not ids:
        return []
    texts = _from_decoder(read(TOKENIZER_CONFIG))
    if not all(id_ in texts for id_ in ids):
        texts = {**_from_tokenizer(read("tokenizer.json"), ids), **texts}
    return list(dict.fromkeys(texts[id_] for id_ in ids if id_ in texts))


def _from_decoder(config: Mapping[str, Any]) -> dict[int, str]:
    decoder: object = config.get("added_tokens_decoder")
    if not isinstance(decoder, Mapping):
        return {}
    entries = cast(Mapping[str, object], decoder).items()
    texts = {int(key): _content(token) for key, token in entries if _NUMBER.fullmatch(key)}
    return {id_: text for id_, text in texts.items() if text is not None}


def _from_tokenizer(tokenizer: Mapping[str, Any], ids: Sequence[int]) -> dict[int, str]:
    """Return texts of ids from `tokenizer.json`: its added tokens, or else its vocabulary (a map to ids, or a list)."""
    model: object = tokenizer.get("model")
    texts = _from_vocabulary(cast(Mapping[str, object], model).get("vocab"), ids) if isinstance(model, Mapping) else {}
    added: object = tokenizer.get("added_tokens")
    for entry in cast(list[object], added) if isinstance(added, list) else []:
        id_: object = cast(Mapping[str, object], entry).get("id") if isinstance(entry, Mapping) else None
        text = _content(cast(object, entry))
        if text is not None and isinstance(id_, int):
            texts[id_] = text
    return texts


def _from_vocabulary(vocabulary: object, ids: Sequence[int]) -> dict[int, str]:
    if isinstance(vocabulary, Mapping):
        by_text = cast(Mapping[str, object], vocabulary)
        return {id_: text for text, id_ in by_text.items() if isinstance(id_, int) and id_ in ids}
    if isinstance(vocabulary, list):
        entries = cast(list[object], vocabulary)
        chosen = {id_: entries[id_] for id_ in ids if 0 <= id_ < len(entries)}
        firsts = {id_: cast(list[object], entry)[:1] for id_, entry in chosen.items() if isinstance(entry, list)}
        return {id_: text for id_, first in firsts.items() for text in first if isinstance(text, str)}
    return {}
