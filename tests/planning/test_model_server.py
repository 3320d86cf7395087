"""What a container's environment and command line say of the model that it loads."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from infra.configuration import Secret
from infra.planning.model_server import Loaded, loaded_model

SHELL = ("-i", "-c")


def loaded(
    model: str | None = None, *, revision: str | None = None, quantize: str | None = None, gpus: int | None = None
) -> Loaded:
    return Loaded(model=model, revision=revision, quantize=quantize, gpus=gpus)


CASES: dict[str, tuple[Mapping[str, str | Secret], str, Loaded]] = {
    "nothing": ({}, "", loaded()),
    "TGI by its environment": (
        {"MODEL_ID": "a/b", "REVISION": "v1", "QUANTIZE": "eetq", "NUM_SHARD": "2"},
        "text-generation-launcher --port 80",
        loaded("a/b", revision="v1", quantize="eetq", gpus=2),
    ),
    "TGI by its command line, which wins": (
        {"MODEL_ID": "c/d", "NUM_SHARD": "4"},
        "text-generation-launcher --model-id=a/b --revision 'v1' --num-shard 2 --quantize gptq",
        loaded("a/b", revision="v1", quantize="gptq", gpus=2),
    ),
    "TGI on one GPU": ({"MODEL_ID": "a/b", "NUM_SHARD": "4"}, "x --sharded false", loaded("a/b", gpus=1)),
    "a variable that is known": (
        {"MODEL": "a/b"},
        "text-generation-launcher --model-id ${MODEL} --port $PORT",
        loaded("a/b"),
    ),
    "a variable that only the machine knows": (
        {"MODEL_ID": "a/b"},
        "text-generation-launcher --num-shard $DSTACK_GPUS_NUM",
        loaded("a/b"),
    ),
    "a secret is not read": ({"MODEL_ID": Secret("a/b")}, "x --model-id $MODEL_ID", loaded("$MODEL_ID")),
    "vLLM on one GPU": ({"MODEL_ID": "a/b"}, "vllm serve $MODEL_ID --port 8000", loaded("a/b", gpus=1)),
    "vLLM on all": (
        {"MODEL_ID": "a/b"},
        "pip install x && exec vllm serve $MODEL_ID --tensor-parallel-size $DSTACK_GPUS_NUM",
        loaded("a/b"),
    ),
    "vLLM on some": (
        {},
        "python3 -m vllm.entrypoints.openai.api_server --model a/b -tp 2 --pipeline-parallel-size=2 -q fp8",
        loaded("a/b", quantize="fp8", gpus=4),
    ),
    "vLLM by its options": ({}, "/opt/bin/vllm serve --model a/b", loaded("a/b", gpus=1)),
    "SGLang": ({}, "python -m sglang.launch_server --model-path a/b --tp 4", loaded("a/b", gpus=4)),
    "SGLang by the environment": ({"MODEL_ID": "a/b"}, "sglang serve", loaded("a/b", gpus=1)),
    "a proxy's option of the same name": ({}, "litellm --model bedrock/claude", loaded()),
    "no number of GPUs": ({"MODEL_ID": "a/b", "NUM_SHARD": "many"}, "", loaded("a/b")),
    "an option without a value": ({}, "text-generation-launcher --model-id", loaded()),
}


@pytest.mark.parametrize(("environment", "line", "expected"), CASES.values(), ids=CASES)
def test_a_command_line_and_an_environment_say_what_is_loaded(
    environment: Mapping[str, str | Secret], line: str, expected: Loaded
) -> None:
    assert loaded_model(environment, (*SHELL, line)) == expected
    assert loaded_model(environment, line.split()) == expected
