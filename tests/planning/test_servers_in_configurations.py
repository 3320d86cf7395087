"""Configurations as people write them for dstack: what the plan makes of the model server, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import load
from infra.planning import ServicePlan, plan_service, unresolved
from infra.planning.chat_template import ModelRepository
from infra.planning.checks import HealthCheck
from infra.planning.model_server import loaded_model
from infra.planning.weights import Weigh, Weights, unweighed

CONFIGURATIONS = Path(__file__).parent / "configurations"


def planned(name: str, *, weigh: Weigh = unweighed) -> ServicePlan:
    configuration = load(CONFIGURATIONS / f"{name}.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    return plan_service(
        configuration, run="run", environment={"NGC_API_KEY": "nvapi-1"}, resolve=unresolved, weigh=weigh
    )


@pytest.mark.parametrize(
    ("name", "path", "origin"),
    [
        ("sglang-nohost", "/health", "SGLang"),
        ("ollama", "/v1/models/llama3", "Ollama"),
        ("nim", "/v1/health/ready", "NIM"),
        ("entrypoint-vllm", "/health", "vLLM"),
        ("vllm-continuation", "/health", "vLLM"),
        ("nim-nonroot-volume", "/v1/health/ready", "NIM"),
    ],
)
def test_the_health_check_fits_the_server(name: str, path: str, origin: str) -> None:
    assert planned(name).health_check == HealthCheck(
        path=path,
        matcher="200",
        interval=10,
        timeout=5,
        healthy_threshold=2,
        unhealthy_threshold=3,
        origin=origin,
        comes_later=name == "ollama",
    )


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        (
            "sglang-nohost",
            (
                "SGLang listens on 127.0.0.1 in the container, which other machines cannot reach. Each replica "
                "forwards its port there. To need no forwarding, add --host 0.0.0.0 to the command of SGLang.",
            ),
        ),
        (
            "ollama",
            (
                "Ollama keeps weights in /root/.ollama, which is not on a volume, so the container fetches them again "
                "whenever it starts: add /var/lib/weights:/root/.ollama to volumes.",
            ),
        ),
        (
            "vllm-continuation",
            (
                "vLLM answers only to Qwen/Qwen2.5-7B-Instruct, so it will refuse requests for my-alias, which the "
                "gateway passes on unchanged: add --served-model-name my-alias to its command, or write one of these "
                "names as the model.",
            ),
        ),
    ],
)
def test_the_plan_says_what_the_server_will_not_do(name: str, notes: tuple[str, ...]) -> None:
    said = planned(name).notes
    assert tuple(note for note in said if not note.startswith(("gpu is not set", "52 instance types"))) == notes


def test_a_model_behind_an_entrypoint_is_weighed_for_one_gpu() -> None:
    asked: list[ModelRepository] = []

    def weigh(wanted: ModelRepository) -> Weights:
        asked.append(wanted)
        return Weights(repo=wanted.repo, gib=61.0, origin="the test")

    plan = planned("entrypoint-vllm", weigh=weigh)
    assert [one.repo for one in asked] == ["Qwen/Qwen2.5-32B-Instruct"]
    assert loaded_model(plan.container).gpus == 1
    assert min(offer.usable_gpu_memory_gb for offer in plan.offers) >= 61.0 * 1.2


def test_ollama_s_commands_have_a_terminal() -> None:
    container = planned("ollama").container
    assert container.terminal
    assert container.command == (
        "/bin/sh", "-i", "-c", "{ ollama serve & } && sleep 3 && ollama pull llama3 && fg",
    )  # fmt: skip
