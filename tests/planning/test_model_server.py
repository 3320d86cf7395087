"""What an image, an environment and a command line say about the model server and the model that it loads."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from infra.configuration import Secret
from infra.planning.known_servers import SERVERS
from infra.planning.model_server import Loaded, loaded_model
from infra.planning.plan import Container
from infra.planning.server_limits import Limits

CONTAINER = Container(
    image="registry.example.com/team/image:1",
    entrypoint=None,
    arguments=(),
    environment=(),
    port=8000,
    shm_size_mb=None,
    working_dir=None,
    user=None,
    privileged=False,
    registry_login=None,
    mounts=(),
    hub_cache_paths=(),
    gpu_count_variables=("DSTACK_GPUS_NUM",),
)
BY_NAME = {server.name: server for server in SERVERS}
TGI = "ghcr.io/huggingface/text-generation-inference:3.3.7"


def of_image(server: str, **values: Any) -> Loaded:
    """Return what is read of a server in its own image, which keeps weights where the table says."""
    return loaded(server, **{"kept": BY_NAME[server].caches or None, **values})


def read(line: str = "", *, image: str = CONTAINER.image, port: int = 8000, **environment: str | Secret) -> Loaded:
    """Return what is read from a command line of a shell."""
    container = dataclasses.replace(CONTAINER, image=image, port=port, environment=tuple(environment.items()))
    if line:
        container = dataclasses.replace(container, entrypoint="/bin/sh", arguments=("-i", "-c", line))
    return loaded_model(container)


def loaded(server: str | None, model: str | None = None, **values: Any) -> Loaded:
    defaults: dict[str, Any] = {"revision": None, "quantize": None, "gpus": None}
    if server is not None and BY_NAME[server].memory is not None:
        defaults["limits"] = Limits(uncertain=values.get("unread", ()))
    if server is not None:
        defaults["generates"] = BY_NAME[server].generates
    return Loaded(server=None if server is None else BY_NAME[server], model=model, **{**defaults, **values})


CASES: dict[str, tuple[Mapping[str, str | Secret], str, Loaded]] = {
    "TGI by its environment": (
        {"MODEL_ID": "a/b", "REVISION": "v1", "QUANTIZE": "eetq", "NUM_SHARD": "2"},
        "text-generation-launcher --port 80",
        loaded("TGI", "a/b", revision="v1", quantize="eetq", gpus=2, port=80),
    ),
    "TGI by its command line, which wins": (
        {"MODEL_ID": "c/d", "NUM_SHARD": "4"},
        "text-generation-launcher --model-id=a/b --revision 'v1' --num-shard 2 --quantize gptq -p 80",
        loaded("TGI", "a/b", revision="v1", quantize="gptq", gpus=2, port=80),
    ),
    "TGI on one GPU": (
        {"MODEL_ID": "a/b", "NUM_SHARD": "4"},
        "text-generation-launcher --sharded false --port 80",
        loaded("TGI", "a/b", gpus=1, port=80),
    ),
    "TGI in an image that can set a port": ({}, "text-generation-launcher", loaded("TGI")),
    "a variable that is known": (
        {"MODEL": "a/b"},
        "text-generation-launcher --model-id ${MODEL} --port $PORT",
        loaded("TGI", "a/b"),
    ),
    "a number that only the machine knows": (
        {"MODEL_ID": "a/b"},
        "text-generation-launcher --num-shard $DSTACK_GPUS_NUM --port 80",
        loaded("TGI", "a/b", port=80),
    ),
    "no number of GPUs": (
        {"MODEL_ID": "a/b", "NUM_SHARD": "many"},
        "text-generation-launcher --port 80",
        loaded("TGI", "a/b", port=80),
    ),
    "an option without a value": ({}, "text-generation-launcher --port 80 --model-id", loaded("TGI", port=80)),
    "a secret is not read": (
        {"MODEL": Secret("a/b")},
        "text-generation-launcher --port 80 --model-id $MODEL",
        loaded("TGI", "$MODEL", port=80),
    ),
    "vLLM on one GPU": (
        {"MODEL_ID": "a/b"},
        "vllm serve $MODEL_ID --port 8001",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8001),
    ),
    "vLLM on all": (
        {"MODEL_ID": "a/b"},
        "pip install x && exec vllm serve $MODEL_ID --tensor-parallel-size $DSTACK_GPUS_NUM",
        loaded("vLLM", "a/b", names=("a/b",), port=8000),
    ),
    "vLLM on some": (
        {},
        "python3 -m vllm.entrypoints.openai.api_server --model a/b -tp 2 --pipeline-parallel-size=2 -q fp8",
        loaded("vLLM", "a/b", quantize="fp8", gpus=4, names=("a/b",), port=8000, limits=Limits(pipeline=2)),
    ),
    "vLLM by its options": (
        {},
        "/opt/bin/vllm serve --model a/b",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "vLLM does not read MODEL_ID": ({"MODEL_ID": "a/b"}, "vllm serve", loaded("vLLM", gpus=1, port=8000)),
    "continued lines": (
        {},
        "vllm serve \\\n  a/b \\\n  --port 8001\n",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8001),
    ),
    "underscores": (
        {},
        "vllm serve a/b --tensor_parallel_size 2 --served_model_name=x",
        loaded("vLLM", "a/b", gpus=2, names=("x",), port=8000),
    ),
    "options before the model": (
        {},
        "vllm serve --enable-prefix-caching --port 8001 --trust-remote-code a/b --max-model-len 100",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8001, limits=Limits(length=100)),
    ),
    "an option that looks like a switch": (
        {},
        "vllm serve --disable-access-log-for-endpoints /health a/b",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "several names": (
        {},
        "vllm serve a/b --served-model-name one two --port 8001",
        loaded("vLLM", "a/b", gpus=1, names=("one", "two"), port=8001),
    ),
    "adapters, which have names too": (
        {},
        "vllm serve a/b --lora-modules sql=/adapters/sql",
        loaded("vLLM", "a/b", gpus=1, port=8000),
    ),
    "a name that only the machine knows": (
        {},
        "vllm serve a/b --served-model-name $(hostname)",
        loaded("vLLM", "a/b", gpus=1, port=8000),
    ),
    "a default of the shell": (
        {},
        'vllm serve "${MODEL:-a/b}" -tp ${GPUS:-2}',
        loaded("vLLM", "a/b", gpus=2, names=("a/b",), port=8000),
    ),
    "a default is not used if the variable is set": (
        {"MODEL": "c/d"},
        "vllm serve ${MODEL:-a/b}",
        loaded("vLLM", "c/d", gpus=1, names=("c/d",), port=8000),
    ),
    "a default of a variable that the machine sets": (
        {},
        "vllm serve a/b -tp ${DSTACK_GPUS_NUM:-2}",
        loaded("vLLM", "a/b", names=("a/b",), port=8000),
    ),
    "a variable of the shell": (
        {},
        "NAME=a/b; vllm serve $NAME",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "a variable that another one makes": (
        {"OWNER": "a"},
        'export MODEL="$OWNER/b" && vllm serve "$MODEL"',
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "a variable that depends": (
        {},
        'if [ "$SIZE" = big ]; then MODEL=a/b; else MODEL=a/c; fi; vllm serve $MODEL',
        loaded("vLLM", "$MODEL", gpus=1, port=8000),
    ),
    "several options in one variable": (
        {"OPTIONS": "--tensor-parallel-size 4 --port 8001"},
        "vllm serve a/b $OPTIONS",
        loaded("vLLM", "a/b", gpus=4, names=("a/b",), port=8001),
    ),
    "an array, which can be any options": (
        {},
        'ARGS=(--model a/b); python3 -m vllm.entrypoints.openai.api_server "${ARGS[@]}"',
        loaded("vLLM", gpus=1, unread=("${ARGS[@]}",)),
    ),
    "options that only the machine knows": (
        {},
        "vllm serve a/b $OPTIONS",
        loaded("vLLM", "a/b", gpus=1, unread=("$OPTIONS",)),
    ),
    "options in a file": (
        {},
        "vllm serve --config vllm.yaml",
        loaded("vLLM", gpus=1, unread=("--config vllm.yaml",)),
    ),
    "env before the program": (
        {},
        "env -u X VLLM_USE_V1=1 nohup vllm serve a/b > /tmp/log 2>&1",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "a variable before the program": (
        {},
        "MODEL_ID=a/b exec text-generation-launcher -p 80",
        loaded("TGI", "a/b", port=80),
    ),
    "a variable that the program does not see": (
        {},
        "MODEL_ID=a/b; text-generation-launcher -p 80",
        loaded("TGI", port=80),
    ),
    "a shell in the shell": (
        {"MODEL": "a/b"},
        "bash -lc 'vllm serve \"$MODEL\" --port 8001'",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8001),
    ),
    "a text that is not a command": (
        {},
        "echo 'vllm serve x/y' # vllm serve x/y\ncat > f <<END\nvllm serve x/y\nEND\nvllm serve a/b",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "SGLang listens on its own address": (
        {},
        "python -m sglang.launch_server --model-path a/b --tp 4",
        loaded("SGLang", "a/b", gpus=4, port=30000, local=True),
    ),
    "SGLang listens everywhere": (
        {},
        "pip install 'sglang[all]' && python3.12 -u -m sglang.launch_server --model a/b --host 0.0.0.0 --port 8000",
        loaded("SGLang", "a/b", gpus=1, port=8000),
    ),
    "SGLang with a host that only the machine knows": (
        {},
        "sglang serve --model-path a/b --host $HOST",
        loaded("SGLang", "a/b", gpus=1, port=30000),
    ),
    "vLLM told to listen on its own address": (
        {},
        "vllm serve a/b --host localhost",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000, local=True),
    ),
    "Ollama in an image that can set its address": (
        {},
        "ollama serve & sleep 3; ollama pull llama3 && fg",
        loaded("Ollama", names=("llama3",)),
    ),
    "Ollama with its address": (
        {"OLLAMA_HOST": "127.0.0.1:8000"},
        "ollama serve",
        loaded("Ollama", port=8000, local=True),
    ),
    "llama.cpp": (
        {},
        "/app/llama-server -hf a/b-GGUF:Q4_K_M --host 0.0.0.0 --port 8080",
        loaded("llama.cpp", "a/b-GGUF:Q4_K_M", port=8080),
    ),
    "LMDeploy": (
        {},
        "lmdeploy serve api_server a/b --tp 2 --server-port 8000",
        loaded("LMDeploy", "a/b", gpus=2, names=("a/b",), port=8000),
    ),
    "TensorRT-LLM": (
        {},
        "trtllm-serve a/b --tp_size 2 --host 0.0.0.0",
        loaded("TensorRT-LLM", "a/b", gpus=2, port=8000),
    ),
    "TEI": ({}, "text-embeddings-router --model-id a/b --port 80", loaded("TEI", "a/b", gpus=1, port=80)),
    "Triton": ({}, "tritonserver --model-repository=/models", loaded("Triton", port=8000)),
    "two servers, of which one has the port": (
        {},
        "text-embeddings-router --model-id c/d --port 8001 & vllm serve a/b --port 8000",
        loaded("vLLM", "a/b", gpus=1, names=("a/b",), port=8000),
    ),
    "another program": ({}, "litellm --model bedrock/claude", loaded(None, others=("litellm --model bedrock/claude",))),
    "a script, with the usual variable": (
        {"MODEL_ID": "a/b"},
        "cd /app && ./start.sh $(nproc)",
        loaded(None, "a/b", others=("cd /app", "./start.sh $(nproc)")),
    ),
}


@pytest.mark.parametrize(("environment", "line", "expected"), CASES.values(), ids=CASES)
def test_a_command_line_is_read_as_the_shell_and_the_server_read_it(
    environment: Mapping[str, str | Secret], line: str, expected: Loaded
) -> None:
    assert read(line, **environment) == expected


@pytest.mark.parametrize(
    ("environment", "line", "generates"),
    [
        ({}, "text-embeddings-router --model-id a/b", False),
        ({}, "vllm serve a/b --task embed", False),
        ({}, "vllm serve a/b --task=score --port 8000", False),
        ({}, "vllm serve a/b --task generate", True),
        ({}, "vllm serve a/b --runner pooling --runner generate", True),
        ({"KIND": "pooling"}, "vllm serve a/b --runner $KIND", False),
        ({}, "vllm serve a/b --convert embed", False),
        ({}, "python -m sglang.launch_server --model-path a/b --is-embedding --port 8000", False),
        ({}, "python -m sglang.launch_server --model-path a/b", True),
        ({}, "llama-server -hf a/b --embeddings --host 0.0.0.0", False),
        ({}, "llama-server -hf a/b --reranking", False),
        ({"LLAMA_ARG_EMBEDDINGS": "1"}, "llama-server -hf a/b", False),
        ({"LLAMA_ARG_EMBEDDINGS": "false"}, "llama-server -hf a/b", True),
        ({}, "./start.sh", True),
    ],
)
def test_a_server_of_embeddings_writes_no_text(
    environment: Mapping[str, str | Secret], line: str, *, generates: bool
) -> None:
    assert read(line, **environment).generates is generates


def test_an_entrypoint_is_read_like_a_command() -> None:
    container = dataclasses.replace(CONTAINER, entrypoint="vllm", arguments=("serve", "a/b $X", "--port", "8001"))
    assert loaded_model(container) == loaded("vLLM", "a/b $X", gpus=1, port=8001, names=None)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (TGI, of_image("TGI", port=80)),
        ("vllm/vllm-openai@sha256:0000", of_image("vLLM", gpus=1, port=8000)),
        ("docker.io/lmsysorg/sglang:v0.5.5-cu126", of_image("SGLang", gpus=1, port=30000)),
        ("ollama/ollama", of_image("Ollama", port=11434)),
        ("ghcr.io/ggml-org/llama.cpp:server-cuda", of_image("llama.cpp", port=8080)),
        ("nvcr.io/nim/meta/llama3-8b-instruct:latest", of_image("NIM", port=8000)),
        ("nvcr.io/nvidia/tritonserver:25.06-py3", of_image("Triton", port=8000)),
        ("ghcr.io/huggingface/text-embeddings-inference:89-1.8", of_image("TEI", gpus=1, port=80)),
        ("openmmlab/lmdeploy:latest", of_image("LMDeploy", gpus=1, port=23333)),
        ("ghcr.io/theroyallab/tabbyapi:latest", of_image("TabbyAPI", port=5000)),
        ("registry.example.com:5000/team/vllm-openai-extra:1", loaded(None)),
    ],
)
def test_without_a_command_line_the_image_says_which_server_runs(image: str, expected: Loaded) -> None:
    assert read(image=image) == expected


def test_the_variables_of_a_server_s_own_image_are_known() -> None:
    assert read("text-generation-launcher --port $PORT", image=TGI) == of_image("TGI", port=80)
    assert read("text-generation-launcher", image=TGI) == of_image("TGI", port=80)
    assert read("ollama serve", image="ollama/ollama") == of_image("Ollama", port=11434)


def test_a_command_line_that_is_not_a_known_server_hides_the_image_s() -> None:
    assert read("./start.sh", image=TGI, MODEL_ID="a/b") == loaded(None, "a/b", others=("./start.sh",))
    assert read("python -m sglang.launch_server --model a/b", image=TGI).server is BY_NAME["SGLang"]


LIMITS: dict[str, tuple[str, Limits]] = {
    "vLLM": (
        "vllm serve a/b --max-model-len 32k --max-num-seqs=16 --gpu-memory-utilization .8 --kv-cache-dtype fp8 -pp 2",
        Limits(
            length=32_000, sequences=16, share=0.8, share_by="--gpu-memory-utilization", cache_type="fp8", pipeline=2
        ),
    ),
    "a length that vLLM chooses": ("vllm serve a/b --max-model-len auto", Limits(fits_length=True)),
    "larger units": ("vllm serve a/b --max-model-len 1M", Limits(length=1_048_576)),
    "no numbers": (
        "vllm serve a/b --max-model-len long --max-num-seqs 0 --gpu-memory-utilization 90%",
        Limits(),
    ),
    "weights in main memory": ("vllm serve a/b --cpu-offload-gb 10", Limits(uncertain=("--cpu-offload-gb",))),
    "a larger type": ("vllm serve a/b --dtype float32", Limits(uncertain=("--dtype float32",))),
    "a number of GPUs that only the machine knows": ("vllm serve a/b -tp $GPUS", Limits(uncertain=("$GPUS",))),
    "all GPUs of the machine": ("vllm serve a/b -tp ${DSTACK_GPUS_NUM}", Limits()),
    "a share that only the machine knows": (
        "vllm serve a/b --gpu-memory-utilization $SHARE",
        Limits(uncertain=("--gpu-memory-utilization $SHARE",)),
    ),
    "SGLang": (
        "sglang serve --model-path a/b --context-length 4096 --max-running-requests 8 --mem-fraction-static 0.9 --pp 2",
        Limits(length=4096, sequences=8, share=0.9, share_by="--mem-fraction-static", pipeline=2),
    ),
    "TGI by its options": (
        "text-generation-launcher --max-total-tokens 4096 --cuda-memory-fraction 0.5 --kv-cache-dtype fp8_e5m2",
        Limits(length=4096, share=0.5, share_by="--cuda-memory-fraction", cache_type="fp8_e5m2"),
    ),
    "TGI by its variables": (
        "MAX_TOTAL_TOKENS=4096 CUDA_MEMORY_FRACTION=0.5 text-generation-launcher",
        Limits(length=4096, share=0.5, share_by="CUDA_MEMORY_FRACTION"),
    ),
    "LMDeploy": (
        "lmdeploy serve api_server a/b --session-len 4096 --cache-max-entry-count 0.5 --quant-policy 8",
        Limits(length=4096, share=0.5, share_by="--cache-max-entry-count", cache_type="8"),
    ),
    "TensorRT-LLM": (
        "trtllm-serve a/b --max_seq_len 4096 --max_batch_size 8 --kv_cache_free_gpu_memory_fraction 0.5",
        Limits(length=4096, sequences=8, share=0.5, share_by="--kv-cache-free-gpu-memory-fraction"),
    ),
    "a server of whose memory nothing is known": ("llama-server -m a --ctx-size 100", Limits()),
}


@pytest.mark.parametrize(("line", "limits"), LIMITS.values(), ids=LIMITS)
def test_the_options_say_how_much_memory_the_server_takes(line: str, limits: Limits) -> None:
    assert read(line).limits == limits


@pytest.mark.parametrize(
    ("image", "line", "environment", "folders"),
    [
        ("vllm/vllm-openai", "vllm serve a/b", {}, ("/root/.cache/huggingface",)),
        ("vllm/vllm-openai", "vllm serve a/b --download-dir /models", {}, ("/models",)),
        ("vllm/vllm-openai", "vllm serve a/b --download-dir $PLACE", {}, None),
        ("vllm/vllm-openai", "vllm serve a/b", {"HF_HOME": "/cache"}, ("/cache",)),
        ("vllm/vllm-openai", "vllm serve a/b", {"HF_HOME": Secret("/cache")}, None),
        ("vllm/vllm-openai", "vllm serve a/b $OPTIONS", {}, None),
        ("team/image", "vllm serve a/b", {}, None),
        (TGI, "", {}, ("/data",)),
        ("ollama/ollama", "", {"OLLAMA_MODELS": "/models"}, ("/models",)),
        ("nvcr.io/nim/meta/llama3-8b-instruct", "", {}, ("/opt/nim/.cache",)),
        ("nvcr.io/nvidia/tritonserver", "", {}, None),
    ],
)
def test_the_folder_in_which_a_server_keeps_weights_is_known(
    image: str, line: str, environment: Mapping[str, str | Secret], folders: tuple[str, ...] | None
) -> None:
    assert read(line, image=image, **environment).kept == folders


def test_nim_answers_to_the_names_of_its_variable() -> None:
    image = "nvcr.io/nim/meta/llama3-8b-instruct"
    assert read(image=image).names is None
    assert read(image=image, NIM_SERVED_MODEL_NAME="one, two").names == ("one", "two")
    assert read(image=image, NIM_SERVED_MODEL_NAME=Secret("one")).names is None


def test_a_name_means_a_server_once() -> None:
    assert len(BY_NAME) == len(SERVERS)
