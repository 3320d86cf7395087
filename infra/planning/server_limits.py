"""What the options of a model server say about its memory: the length of sequences, their number, the share of the
memory, the type of the cache."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from infra.planning.server_memory import Setting
from infra.planning.server_options import Options
from infra.planning.servers import Server

_TOKENS = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[kKmM]?)")
_UNITS = {"": 1, "k": 1_000, "K": 1_024, "m": 1_000_000, "M": 1_048_576}
"""vLLM's units of `--max-model-len` (docs.vllm.ai, "Engine Arguments")."""
_LARGER_TYPES = ("float32", "float")
_COUNTED_THERE = re.compile(r"DSTACK_GPUS_(?:NUM|PER_NODE)")
"""Variables with the number of GPUs of the machine: then all of them hold the model."""
_OFF = ("", "0", "false", "False")
_TO_THE_MEMORY = ("auto", "-1", "0")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a model server. `None`: not set, so the default of the server or of the model."""

    length: int | None = None
    """Tokens of the longest sequence."""
    longer: bool = False
    """Whether the environment allows a length beyond the model's own, or can: only the machine knows the value."""
    fits_length: bool = False
    """Whether the server itself chooses the length by the memory."""
    sequences: int | None = None
    share: float | None = None
    share_by: str | None = None
    """The option or the variable that sets the share."""
    cache_type: str | None = None
    pipeline: int = 1
    """The number of groups of layers, each on its own GPUs."""
    uncertain: tuple[str, ...] = ()
    """Options and variables because of which the calculation of the memory does not hold, as they are written."""


def read_limits(server: Server, options: Options, environment: Mapping[str, str | None]) -> Limits:
    """Return the limits that the command line sets, else the environment.

    Args:
        server: the server that gets the options.
        options: its options.
        environment: the variables that it sees; `None`: a value that only the machine knows.
    """
    memory = server.memory
    if memory is None:
        return Limits()
    uncertain = [*options.unread, *(name for name, _ in options.values if name in memory.elsewhere)]

    def read(setting: Setting) -> str | None:
        word = options.last(setting.options)
        if word is not None:
            if not word.known:
                uncertain.append(f"{setting.options[0]} {word.text}")
            return word.text if word.known else None
        for name in setting.variables:
            if name in environment:
                value = environment[name]
                if value is None:
                    uncertain.append(name)
                return value
        return None

    uncertain += [f"--dtype {word.text}" for word in options.each(("--dtype",)) if word.text in _LARGER_TYPES]
    counts = [word for names in server.parallel if (word := options.last(names)) is not None]
    uncertain += [word.text for word in counts if not word.known and not _COUNTED_THERE.search(word.text)]
    length, sequences, written = read(memory.length), read(memory.sequences), read(memory.share)
    share = None if written is None else _share(written)
    cache_type = read(memory.cache_type)
    pipelines = [word for names in server.parallel[1:] if (word := options.last(names)) is not None]
    return Limits(
        length=None if length is None else _tokens(length),
        longer=memory.longer_by is not None and environment.get(memory.longer_by, "0") not in _OFF,
        fits_length=length in _TO_THE_MEMORY,
        sequences=None if sequences is None else _whole(sequences),
        share=share,
        share_by=None if share is None else _set_by(memory.share, options, environment),
        cache_type=cache_type,
        pipeline=(_whole(pipelines[0].text) if pipelines else None) or 1,
        uncertain=tuple(dict.fromkeys(uncertain)),
    )


def _set_by(setting: Setting, options: Options, environment: Mapping[str, str | None]) -> str | None:
    if options.last(setting.options) is not None:
        return setting.options[0]
    return next((name for name in setting.variables if name in environment), None)


def kept_folders(
    server: Server, options: Options, environment: Mapping[str, str | None], *, own_image: bool
) -> tuple[str, ...] | None:
    """Return the folders of the container in one of which a server keeps the weights that it fetches; `None`: not
    known. An image that is not the server's own can set variables too."""
    word = options.last(server.cache_options)
    if word is not None:
        return (word.text,) if word.known else None
    for name in server.cache_variables:
        if name in environment:
            value = environment[name]
            return None if value is None else (value,)
    return server.caches if own_image and not options.unread and server.caches else None


def _tokens(text: str) -> int | None:
    """Return a number of tokens: `4096`, `32k`, `1M`; `None`: another text."""
    found = _TOKENS.fullmatch(text)
    return (int(float(found["number"]) * _UNITS[found["unit"]]) or None) if found else None


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[1-9][0-9]{0,5}", text) else None


def _share(text: str) -> float | None:
    return float(text) if re.fullmatch(r"0?\.[0-9]+|1(\.0*)?", text) else None
