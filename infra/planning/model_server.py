"""The model that a container's server loads, read from the environment and the command line. Options of TGI, vLLM and
SGLang are known."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from infra.configuration import Secret

_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A model as a server loads it."""

    model: str | None
    """A repository or a folder, as it is written; `None`: not given."""
    revision: str | None
    quantize: str | None
    """How the server quantizes the weights while it loads them."""
    gpus: int | None
    """The number of GPUs that hold one model; `None`: all GPUs of the machine."""


def loaded_model(environment: Mapping[str, str | Secret], arguments: Sequence[str]) -> Loaded:
    """Return the model of an environment and an argument vector. An argument can be a command line of a shell.

    By default, TGI puts a model onto all GPUs of the machine (launcher, `--num-shard`); vLLM and SGLang put it onto one
    (`--tensor-parallel-size`, `--pipeline-parallel-size`; `--tp-size`).
    """
    known = {name: value for name, value in environment.items() if isinstance(value, str)}
    words = [_filled(word.strip("'\""), known) for argument in arguments for word in argument.split()]
    revision = _option(words, "--revision") or known.get("REVISION")
    if _runs(words, "vllm"):
        parallel = [_option(words, "--tensor-parallel-size", "-tp"), _option(words, "--pipeline-parallel-size", "-pp")]
        return Loaded(
            model=_positional(words, "serve") or _option(words, "--model") or known.get("MODEL_ID"),
            revision=revision,
            quantize=_option(words, "--quantization", "-q"),
            gpus=_product(parallel),
        )
    if _runs(words, "sglang"):
        return Loaded(
            model=_option(words, "--model-path", "--model") or known.get("MODEL_ID"),
            revision=revision,
            quantize=_option(words, "--quantization"),
            gpus=_product([_option(words, "--tp-size", "--tp", "--tensor-parallel-size")]),
        )
    shards = _option(words, "--num-shard") or known.get("NUM_SHARD")
    sharded = _option(words, "--sharded") or known.get("SHARDED")
    return Loaded(
        model=_option(words, "--model-id") or known.get("MODEL_ID"),
        revision=revision,
        quantize=_option(words, "--quantize") or known.get("QUANTIZE"),
        gpus=1 if sharded == "false" else None if shards is None else _product([shards]),
    )


def _filled(word: str, known: Mapping[str, str]) -> str:
    """Return a word with the values of known variables. Other variables stay as they are written."""
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[0]), word)


def _runs(words: Sequence[str], program: str) -> bool:
    """Whether the command runs a program or a Python module of that name."""
    return any(word.rpartition("/")[2].partition(".")[0] == program for word in words)


def _option(words: Sequence[str], *names: str) -> str | None:
    """Return the value of `--name value` or `--name=value`, for any of the names."""
    for word, following in zip_longest(words, words[1:]):
        if word in names:
            return following
        name, equals, value = word.partition("=")
        if equals and name in names:
            return value.strip("'\"")
    return None


def _positional(words: Sequence[str], after: str) -> str | None:
    """Return the argument that follows a word, unless it is an option."""
    if after not in words:
        return None
    following = words[words.index(after) + 1 :]
    return following[0] if following and not following[0].startswith("-") else None


def _product(counts: Sequence[str | None]) -> int | None:
    """Return the product of numbers of GPUs. A missing number is 1. `None` if only the machine knows one of them."""
    product = 1
    for count in counts:
        if count is not None and not re.fullmatch(r"[1-9][0-9]{0,3}", count):
            return None
        product *= int(count or 1)
    return product
