"""Every example loads and plans; the document's two are the document's, byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from infra.configuration import ServiceConfiguration
from infra.configuration.reading import load
from infra.planning import (
    OpenRepository,
    ServicePlan,
    generated_run_name,
    plan_gateway,
    plan_service,
    resolve_with,
    unresolved,
)
from infra.planning.model_server import loaded_model
from tests.planning.hub_server import TOKEN, Hub, Repository
from tests.support.examples import EXAMPLES, GATEWAYS, SERVICES, name_of


@pytest.mark.parametrize(
    ("example", "digest"),
    [
        ("mistral", "5c76f4c563de8afa26eda2154e211437bc8a12f70a2a3827b244335e24ccfc55"),
        ("llama-2", "4e8a8d1a512e3da7d7fa88f228bf9442a6211b5b3ca786a97cdec7782c912b96"),
    ],
)
def test_the_document_s_configurations_are_the_document_s(example: str, digest: str) -> None:
    contents = (EXAMPLES / example / "serve.dstack.yml").read_bytes()
    assert hashlib.sha256(contents).hexdigest() == digest, "these two are the document's; make another example instead"


@pytest.mark.parametrize("file", SERVICES, ids=name_of)
def test_every_service_plans(file: Path, hub: Hub, open_repository: OpenRepository) -> None:
    tokenizer = json.dumps({"chat_template": "{{ messages }}", "eos_token": "</s>"}).encode()
    configuration = load(file)
    assert isinstance(configuration, ServiceConfiguration)
    model = configuration.model
    if model is not None:
        hub.repositories[model.hub_repo or model.name] = Repository({"tokenizer_config.json": tokenizer})
    plan = plan_service(
        configuration,
        run=generated_run_name(file),
        environment={"HF_TOKEN": TOKEN},
        resolve=resolve_with(open_repository),
    )
    assert plan.offers
    assert (plan.model is None) is (model is None)
    assert plan.model is None or plan.model.format == "openai" or plan.model.chat_template


@pytest.mark.parametrize("file", GATEWAYS, ids=name_of)
def test_every_gateway_plans(file: Path) -> None:
    configuration = load(file)
    assert configuration.type == "gateway"
    assert plan_gateway(configuration, name="gateway").region == "us-east-1"


def test_the_document_s_services_run_what_the_document_says(hub: Hub, open_repository: OpenRepository) -> None:
    commands = []
    for example in ("mistral", "llama-2"):
        configuration = load(EXAMPLES / example / "serve.dstack.yml")
        assert isinstance(configuration, ServiceConfiguration)
        tokenizer = json.dumps({"chat_template": "T", "eos_token": "</s>"}).encode()
        hub.repositories["mistralai/Mistral-7B-Instruct-v0.1"] = Repository({"tokenizer_config.json": tokenizer})
        container = plan_service(
            configuration, run="yellow-cat-1", environment={}, resolve=resolve_with(open_repository)
        ).container
        commands.append((container.image, container.port, container.command))
    image = "ghcr.io/huggingface/text-generation-inference:latest"
    launcher = "text-generation-launcher --port 80 --trust-remote-code"
    assert commands == [
        (image, 80, ("/bin/sh", "-i", "-c", launcher)),
        (image, 80, ("/bin/sh", "-i", "-c", f"{launcher} --quantize gptq")),
    ]


def test_the_document_s_first_configuration_has_the_document_s_run_name() -> None:
    assert generated_run_name(EXAMPLES / "mistral" / "serve.dstack.yml") == "yellow-cat-1"
    assert generated_run_name(EXAMPLES / "llama-2" / "serve.dstack.yml") == "gentle-owl-1"


def test_the_examples_cover_what_users_need() -> None:
    servers = {"mistral", "llama-2", "vllm", "sglang", "tei", "ollama", "llama.cpp", "multi-gpu", "python"}
    cases = {"awq", "llama-3.1", "ecr", "web", "autoscaling", "scale-to-zero", "spot", "canary/stable", "canary/new"}
    cases |= {"replica-groups"}
    assert {name_of(file) for file in SERVICES} >= servers | cases
    assert len(GATEWAYS) >= 2


@pytest.mark.parametrize(
    ("example", "server"),
    [
        ("mistral", "TGI"),
        ("vllm", "vLLM"),
        ("sglang", "SGLang"),
        ("tei", "TEI"),
        ("ollama", "Ollama"),
        ("llama.cpp", "llama.cpp"),
        ("awq", "vLLM"),
        ("ecr", "vLLM"),
        ("python", "vLLM"),
        ("web", None),
    ],
)
def test_the_server_of_an_example_is_known_by_its_name(example: str, server: str | None) -> None:
    configuration = load(EXAMPLES / example / "serve.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    plan = plan_service(configuration, run="run", environment={}, resolve=unresolved)
    known = loaded_model(plan.container).server
    assert (None if known is None else known.name) == server
    assert plan.model is None or plan.model.generates == (server != "TEI")


def test_what_examples_are_named_for_is_in_their_plans() -> None:
    plans: dict[str, ServicePlan] = {}
    for example in ("scale-to-zero", "spot"):
        configuration = load(EXAMPLES / example / "serve.dstack.yml")
        assert isinstance(configuration, ServiceConfiguration)
        plans[example] = plan_service(configuration, run="run", environment={}, resolve=unresolved)
    sleeping, spot = plans["scale-to-zero"], plans["spot"]
    assert (sleeping.replicas.minimum, sleeping.replicas.maximum, sleeping.waits) == (0, 2, False)
    assert (spot.purchase.spot_policy, spot.purchase.on_demand_base, spot.replicas.minimum) == ("spot", 0, 2)
