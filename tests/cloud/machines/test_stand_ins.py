"""What runs in a container: the command lines of the examples, and stand-ins with the API of the real programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.machines.docker_host import DockerHost
from tests.support.processes import wait_until

Hosts = Callable[..., DockerHost]

CHAT = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 5, "ignore_eos": True}


def start(
    host: DockerHost,
    image: str,
    command: str | None,
    *arguments: str,
    port: int,
    shell: str = "/bin/sh",
    **variables: str,
) -> None:
    """Run a container as the boot script does: `commands` in a shell with a terminal, or the image's own."""
    if command is None:
        host.run(image, *arguments, port=port, **variables)
        return
    options = ("--tty", "--entrypoint", shell)
    host.run(image, "-i", "-c", command, options=options, port=port, **variables)


def chat(host: DockerHost, model: str) -> Mapping[str, Any]:
    status, body = host.ask("/v1/chat/completions", method="POST", body=json.dumps({**CHAT, "model": model}).encode())
    assert status == 200, body
    return json.loads(body)


@pytest.mark.parametrize(
    ("image", "command", "port", "health", "model"),
    [
        (
            "vllm/vllm-openai:v0.11.0",
            "vllm serve $MODEL_ID --port 8000 --tensor-parallel-size $DSTACK_GPUS_NUM --max-model-len 16384",
            8000,
            "/health",
            "Qwen/Qwen2.5-7B-Instruct",
        ),
        (
            "lmsysorg/sglang:v0.5.5",
            "python3 -m sglang.launch_server --model-path $MODEL_ID --host 0.0.0.0 --port 30000 --context-length 16384",
            30000,
            "/health",
            "Qwen/Qwen2.5-7B-Instruct",
        ),
        (
            "ghcr.io/ggml-org/llama.cpp:server-cuda-b11206",
            "/app/llama-server -hf bartowski/Qwen2.5-7B-Instruct-GGUF:Q4_K_M --host 0.0.0.0 --port 8080 --metrics",
            8080,
            "/health",
            "qwen2.5-7b",
        ),
        (
            "ollama/ollama:0.12.6",
            "{ ollama serve & } && until ollama list; do sleep 1; done && ollama pull qwen2.5:7b && fg",
            11434,
            "/v1/models/qwen2.5:7b",
            "qwen2.5:7b",
        ),
        ("nvcr.io/nim/meta/llama3-8b-instruct:latest", None, 8000, "/v1/health/ready", "meta/llama3-8b-instruct"),
    ],
    ids=["vLLM", "SGLang", "llama.cpp", "Ollama", "NIM"],
)  # fmt: skip
def test_a_server_of_openais_api_answers_by_a_real_model(
    docker: Hosts, models: Path, image: str, command: str | None, port: int, health: str, model: str
) -> None:
    host = docker(models)
    if image.startswith("nvcr.io"):
        host.out("login", "--username", "$oauthtoken", "--password-stdin", "nvcr.io", input="key")
    start(host, image, command, port=port, MODEL_ID="Qwen/Qwen2.5-7B-Instruct", DSTACK_GPUS_NUM="1")
    host.wait_for(health)
    answer = chat(host, model)
    (choice,) = answer["choices"]
    assert (choice["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 5)
    assert choice["message"]["content"].strip()


def test_tgi_has_its_own_api_and_openais(docker: Hosts, models: Path) -> None:
    host = docker(models)
    image = "ghcr.io/huggingface/text-generation-inference:3.3.7"
    start(host, image, "text-generation-launcher --port 80", port=80, MODEL_ID="mistralai/Mistral-7B-Instruct-v0.1")
    host.wait_for("/health")
    body = json.dumps({"inputs": "Once", "parameters": {"max_new_tokens": 3}}).encode()
    status, answer = host.ask("/generate", method="POST", body=body)
    assert (status, list(json.loads(answer))) == (200, ["generated_text"])
    assert chat(host, "tgi")["usage"]["completion_tokens"] == 5
    assert host.ask("/info")[1].find(b'"stands_in_for":"mistralai/Mistral-7B-Instruct-v0.1"') > 0


def test_the_metrics_are_those_that_the_boot_script_reads(docker: Hosts, models: Path) -> None:
    host = docker(models)
    start(host, "vllm/vllm-openai:v0.11.0", None, "--model", "m", port=8000)
    host.wait_for("/health")
    chat(host, "m")
    assert host.ask("/metrics") == (
        200,
        b"vllm:num_requests_running 0.0\nvllm:num_requests_waiting 0.0\nvllm:request_success_total 1.0\n"
        b"vllm:generation_tokens_total 5.0\n",
    )


def test_embeddings_of_tei(docker: Hosts, models: Path) -> None:
    host = docker(models)
    image = "ghcr.io/huggingface/text-embeddings-inference:86-1.9"
    start(host, image, "text-embeddings-router --port 80", port=80, MODEL_ID="BAAI/bge-base-en-v1.5")
    host.wait_for("/health")
    status, body = host.ask("/embed", method="POST", body=b'{"inputs": ["a", "b"]}')
    assert (status, [len(vector) for vector in json.loads(body)]) == (200, [384, 384])


def test_a_program_that_the_image_does_not_have_ends_the_container_with_127(docker: Hosts) -> None:
    host = docker()
    image = "ghcr.io/huggingface/text-generation-inference:3.3.7"
    start(host, image, "vllm serve m", port=80)
    assert host.out("wait", "one") == "127\n"
    assert host.out("logs", "one") == "/bin/sh: 1: vllm: not found\r\n"


def test_a_command_line_that_no_server_reads_ends_as_a_usage_error(docker: Hosts) -> None:
    host = docker()
    start(host, "vllm/vllm-openai:v0.11.0", "vllm bench", port=8000)
    assert host.out("wait", "one") == "2\n"
    assert host.out("logs", "one") == "vllm: error: unrecognized arguments: bench\r\n"


def test_dstacks_base_image_makes_its_environment_and_runs_the_server(docker: Hosts, models: Path) -> None:
    host = docker(models)
    commands = (
        "export DSTACK_VENV_DIR=/dstack/venv && sudo install --directory --owner $(id -u) --group $(id -g) "
        "$DSTACK_VENV_DIR && UV_PYTHON_INSTALL_DIR=/opt/uv/python uv venv --quiet --seed --prompt dstack --python 3.12 "
        "$DSTACK_VENV_DIR --no-python-downloads && "
        ". $DSTACK_VENV_DIR/bin/activate && uv pip install vllm==0.11.0 && vllm serve m --port 8000"
    )
    start(host, "dstackai/base:0.16-base-ubuntu24.04", commands, port=8000, shell="/bin/bash")
    host.wait_for("/health")
    said = "This cloud has no network, so nothing was installed: vllm==0.11.0"
    # docker hears of a line a moment after it was written.
    wait_until(lambda: host.out("logs", "one").count("\n") == 2, what="two lines")
    assert host.out("logs", "one").splitlines() == [said, "SmolLM2-135M stands in for m, on http://0.0.0.0:8000"]


def test_real_python_runs_what_is_no_known_server(docker: Hosts) -> None:
    host = docker()
    assert host.says("python -c 'print(6 * 7)'") == "42\n"


def test_images_without_a_model_show_a_page(docker: Hosts) -> None:
    host = docker()
    host.run("traefik/whoami:v1.11")
    lines = host.wait_for("/a?b=c").decode().splitlines()
    assert (lines[0].partition(": ")[0], lines[2]) == ("Hostname", "GET /a?b=c HTTP/1.1")
    host.out("rm", "--force", "one")
    host.run("registry.example.com/team/server:1", port=8123)
    assert host.wait_for("/") == b"This page stands in for the image registry.example.com/team/server:1.\n"


def test_a_stand_in_runs_with_a_python_whose_path_has_spaces(
    docker: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = tmp_path / 'it\'s "my" $environment'
    environment.symlink_to(sys.prefix)
    monkeypatch.setattr(sys, "prefix", str(environment))
    monkeypatch.setattr(sys, "executable", str(environment / "bin" / "python"))
    host = docker()
    image = "servestack/numbered-streams:1"
    host.out("pull", image)
    assert host("run", "--rm", image, "--says", "two words", "--exit", "3") == (3, "two words\n", "")
