"""Where a configuration contradicts its model server, the plan says so; where it is not certain, it says nothing."""

from __future__ import annotations

import pytest

from tests.preflight.plans import service_plan


def notes(
    server: str, *, image: str = "vllm/vllm-openai", port: int = 8000, resources: str, more: str = ""
) -> list[str]:
    text = f"type: service\nimage: {image}\nport: {port}\ncommands:\n  - {server}\n{more}"
    plan = service_plan(f"{text}resources: {{shm_size: 1GB, {resources}}}\n")
    return [note for note in plan.notes if not note.startswith("gpu is not set")]


ALL = "write --tensor-parallel-size $DSTACK_GPUS_NUM, which is the number of GPUs of the machine"


@pytest.mark.parametrize(
    ("command", "resources", "expected"),
    [
        ("vllm serve a/b -tp 4", "gpu: A10G:4", []),
        ("vllm serve a/b -tp 2 -pp 2", "gpu: A10G:4", []),
        ("vllm serve a/b -tp $DSTACK_GPUS_NUM", "gpu: A10G:4", []),
        ("vllm serve a/b -tp $GPUS", "gpu: A10G:4", []),
        ("vllm serve a/b $OPTIONS", "gpu: A10G:4", None),
        ("vllm serve a/b -tp 2 --data-parallel-size 2", "gpu: A10G:4", []),
        ("vllm serve a/b", "gpu: 24GB", []),
        ("vllm serve a/b -tp 2", "disk: 100GB", []),
        (
            "vllm serve a/b",
            "gpu: A10G:4",
            [
                "vLLM uses 1 GPU for the model, but there are 4 GPUs on g5.12xlarge (and 1 more), and the others stay "
                f"idle: {ALL}, or set the count under resources.gpu to 1."
            ],
        ),
        (
            "vllm serve a/b -tp 2",
            "gpu: A10G:1",
            [
                "vLLM uses 2 GPUs for the model, but there is 1 GPU on g5.xlarge (and 4 more), so it will not start "
                f"there: set the count under resources.gpu to 2, or {ALL}."
            ],
        ),
        (
            "vllm serve a/b -tp 4 -pp 2",
            "gpu: A10G:4..8",
            [
                "vLLM uses 8 GPUs for the model, but there are 4 GPUs on g5.12xlarge (and 1 more), so it will not "
                f"start there: set the count under resources.gpu to 8, or {ALL}."
            ],
        ),
    ],
)
def test_another_number_of_gpus_is_said(command: str, resources: str, expected: list[str] | None) -> None:
    said = notes(command, resources=resources)
    assert [note for note in said if "GPU" in note] == (expected or [])


KEPT = "{} keeps weights in {}, which is not on a volume, so the container fetches them again whenever it starts: add "


@pytest.mark.parametrize(
    ("image", "command", "more", "expected"),
    [
        ("vllm/vllm-openai", "vllm serve a/b", "", None),
        ("vllm/vllm-openai", "vllm serve a/b --download-dir /models", "", ("vLLM", "/models")),
        ("vllm/vllm-openai", "vllm serve a/b --download-dir /models", "volumes: ['/var/lib/m:/models']\n", None),
        ("vllm/vllm-openai", "vllm serve a/b --download-dir /models/x", "volumes: ['/var/lib/m:/models']\n", None),
        ("vllm/vllm-openai", "vllm serve a/b", "env: [HF_HOME=/cache]\n", ("vLLM", "/cache")),
        ("vllm/vllm-openai", "vllm serve a/b", "env: [HF_HOME=/data/cache]\n", None),
        ("vllm/vllm-openai", "vllm serve a/b", "user: '1000'\n", None),
        ("vllm/vllm-openai", "vllm serve a/b", "env: [HOME=/home/me]\n", None),
        ("vllm/vllm-openai", "vllm serve /models/a --download-dir /models", "", None),
        ("team/image", "vllm serve a/b", "", None),
        ("ollama/ollama", "ollama serve", "", ("Ollama", "/root/.ollama")),
        ("ollama/ollama", "ollama serve", "volumes: ['/var/lib/m:/root/.ollama']\n", None),
        ("ghcr.io/ggml-org/llama.cpp:server", "llama-server -hf a/b", "env: [LLAMA_CACHE=/x]\n", ("llama.cpp", "/x")),
        ("ghcr.io/ggml-org/llama.cpp:server", "llama-server -hf a/b", "", None),
    ],
)
def test_weights_outside_of_what_is_mounted_are_said(
    image: str, command: str, more: str, expected: tuple[str, str] | None
) -> None:
    said = [note for note in notes(command, image=image, resources="gpu: 24GB", more=more) if "weights" in note]
    assert said == ([] if expected is None else [f"{KEPT.format(*expected)}/var/lib/weights:{expected[1]} to volumes."])


@pytest.mark.parametrize(
    ("command", "port", "heard"),
    [
        ("vllm serve a/b", 8000, None),
        ("vllm serve a/b", 80, 8000),
        ("vllm serve a/b --port 9000", 8000, 9000),
        ("vllm serve a/b --port $PORT", 8000, None),
        ("vllm serve a/b $OPTIONS", 80, None),
        ("./start.sh", 80, None),
    ],
)
def test_another_port_than_the_server_s_is_said(command: str, port: int, heard: int | None) -> None:
    said = [note for note in notes(command, port=port, resources="gpu: 24GB") if "listens on port" in note]
    expected = (
        f"vLLM listens on port {heard}, but `port` is {port}: no replica will serve, unless something else in the "
        f"container listens on {port}. Write `port: {heard}`, or change the port of the server."
    )
    assert said == ([] if heard is None else [expected])
