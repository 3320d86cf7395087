"""What stands in for which server, and the three kinds together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway_lambda.registry.record import Limits, Model
from infra.configuration import load
from infra.configuration.service import ServiceConfiguration
from infra.planning.service import plan_service
from local.model_server.services import Service
from local.stand_in import announced_addresses, as_served, own_template, resolve_as, service_for
from local.weights import small_weights
from tests.local.conftest import GROUP
from tests.support.local_service import READY, serving
from tests.support.processes import python, running

WEB = "type: service\nimage: nginx\nport: 80\n"
OWN = own_template(small_weights())
IMAGES = {
    "vllm": "vllm/vllm-openai:v0.11.0",
    "tei": "ghcr.io/huggingface/text-embeddings-inference:1.9",
    "tgi": "ghcr.io/huggingface/text-generation-inference:3.3.7",
}


@pytest.mark.parametrize(
    ("image", "more", "service"),
    [
        (
            "vllm",
            "commands: [vllm serve org/a --served-model-name b c]\nmodel: b\n",
            Service(api="openai", stands_in_for="b", model="b", names=("b", "c")),
        ),
        (
            "vllm",
            "commands: [vllm serve]\nmodel: {name: b, format: openai, prefix: /x}\n",
            Service(api="openai", stands_in_for="b", model="b", names=("b",), prefix="/x"),
        ),
        (
            "vllm",
            "commands: [vllm serve org/a]\n",
            Service(api="openai", stands_in_for=IMAGES["vllm"], model="org/a", names=("org/a",)),
        ),
        (
            "lmsysorg/sglang:v0.5.5",
            "commands: [python -m sglang.launch_server --model-path org/a --host 0.0.0.0]\nmodel: b\n",
            Service(api="openai", stands_in_for="b", model="b"),
        ),
        ("nginx", "commands: [serve]\nmodel: b\n", Service(api="openai", stands_in_for="b", model="b")),
        ("nginx", "commands: [serve]\n", Service(api="tgi", stands_in_for="nginx")),
        ("tgi", "model: {name: b, format: tgi, chat_template: a, eos_token: b}\n", Service(stands_in_for="b")),
        (
            "vllm",
            "commands: [vllm serve org/a --runner pooling]\nmodel: {name: org/a, format: openai}\n",
            Service(api="tei", stands_in_for="org/a", model="org/a"),
        ),
        ("tgi", "model: b\n", Service(stands_in_for="b")),
        ("tgi", "", Service(stands_in_for=IMAGES["tgi"])),
        (
            "tei",
            "commands: [text-embeddings-router --port 80 --max-client-batch-size 64]\nmodel: b\n",
            Service(api="tei", stands_in_for="b", model="b", batch=64),
        ),
        (
            "tei",
            "env: [MAX_CLIENT_BATCH_SIZE=48, MODEL_ID=org/a]\n",
            Service(api="tei", stands_in_for=IMAGES["tei"], model="org/a", batch=48),
        ),
        ("tei", "model: b\n", Service(api="tei", stands_in_for="b", model="b", batch=32)),
    ],
)
def test_what_stands_in_has_the_api_of_what_is_configured(
    tmp_path: Path, image: str, more: str, service: Service
) -> None:
    path = tmp_path / "a.dstack.yml"
    path.write_text(f"type: service\nname: a\nimage: {IMAGES.get(image, image)}\nport: 80\n{more}")
    configuration = load(str(path))
    assert isinstance(configuration, ServiceConfiguration)
    plan = plan_service(configuration, run="a", environment={}, resolve=resolve_as(OWN))

    assert service_for(plan) == service


@pytest.mark.xdist_group(GROUP)
def test_three_kinds_of_servers_stand_in_at_once_by_the_names_of_examples() -> None:
    with serving("tgi", "vllm", "tei") as service:
        tgi, vllm, tei = (f"{service.url}/services/{run}" for run in service.runs)
        with openai.OpenAI(base_url=f"{service.url}/v1", api_key="none") as client:
            names = [model.id for model in client.models.list()]
            assert names == [
                "mistralai/Mistral-7B-Instruct-v0.1",
                "Qwen/Qwen2.5-7B-Instruct",
                "BAAI/bge-base-en-v1.5",
            ]
            for name in names[:2]:
                chat = client.chat.completions.create(model=name, messages=HELLO, max_tokens=8)
                assert (chat.model, bool(chat.choices[0].message.content)) == (name, True)
            answer = client.embeddings.create(model=names[2], input=["a"] * 256)
            assert (answer.model, len(answer.data), len(answer.data[0].embedding)) == (names[2], 256, 384)
        shown = httpx.get(f"{service.url}/runs").json()["data"]
        assert [run["model"] for run in shown if run.get("generates") is False] == [names[2]]
        assert httpx.get(f"{tgi}/info").json()["stands_in_for"] == names[0]
        assert [model["id"] for model in httpx.get(f"{vllm}/v1/models").json()["data"]] == [names[1]]
        assert httpx.get(f"{tei}/info").json()["served_model_name"] == names[2]
        for said in (
            "SmolLM2-135M-Instruct and all-MiniLM-L6-v2: serving after ",
            "  here     SmolLM2-135M-Instruct, a small real model on this machine's CPU, stands in for "
            "mistralai/Mistral-7B-Instruct-v0.1, with TGI's API\n",
            "  here     SmolLM2-135M-Instruct, a small real model on this machine's CPU, stands in for "
            "Qwen/Qwen2.5-7B-Instruct, with OpenAI's API as llama.cpp has it\n",
            "  here     all-MiniLM-L6-v2, a small real embedding model on this machine's CPU, stands in for "
            "BAAI/bge-base-en-v1.5, with TEI's API. Its embeddings have 384 dimensions\n",
            f"curl {tei}/embed ",
        ):
            assert said in service.banner


@pytest.mark.xdist_group(GROUP)
def test_a_plain_container_is_stood_in_for_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "web.dstack.yml").write_text(f"{WEB}name: web\n")
    with serving(str(tmp_path / "web.dstack.yml")) as service:
        body = {"inputs": "Once", "parameters": {"max_new_tokens": 4}}
        assert list(httpx.post(f"{service.url}/services/web/generate", json=body).json()) == ["generated_text"]
        assert "has TGI's API; --docker runs nginx itself\n" in service.banner


@pytest.mark.xdist_group(GROUP)
def test_an_embedding_server_alone_loads_no_chat_model() -> None:
    with serving("tei") as service:
        assert "all-MiniLM-L6-v2: serving after " in service.banner
        assert "SmolLM2" not in service.banner
        assert "Open this page in a browser to see the runs: " in service.banner
        assert "client.embeddings.create(" in service.banner


@pytest.mark.xdist_group(GROUP)
def test_whoever_reads_only_the_first_line_of_the_banner_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "web.dstack.yml").write_text(WEB)
    line = " ".join(python("-m", "local", str(tmp_path / "web.dstack.yml"), "--port", "0"))
    with running(["bash", "-c", f"{line} | head -1"]) as process:
        assert process.wait(within=60) == 0
        assert process.output == f"Reading {tmp_path}/web.dstack.yml …\n"
        assert "Traceback" not in process.output
        assert READY not in process.output


@pytest.mark.parametrize("api", ["tgi", "openai", "tei"])
def test_what_is_said_of_the_configured_server_does_not_hold_for_the_stand_in(api: Any) -> None:
    configured = Model(
        name="m",
        format="openai",
        prefix="/api",
        limits=Limits(max_total_tokens=32768),
        adapter_id="lora",
        upstream_api_key="k",
        vision=True,
        max_n=2,
        created=5,
    )
    kept = Model(name="m", format="openai", prefix="/api", max_n=2, created=5)
    translated = Model(
        name="m", max_n=2, created=5, chat_template=OWN.template, eos_token="<|im_end|>", bos_token="<|im_start|>"
    )
    assert as_served(configured, OWN, Service(api=api)) == (translated if api == "tgi" else kept)


def test_a_template_of_the_configurations_own_is_kept() -> None:
    configured = Model(name="m", chat_template="{{ messages }}", eos_token="</s>")
    assert as_served(configured, OWN, Service()) == configured


@pytest.mark.parametrize("line", ["", "llama.cpp: hello", "5", "{}", '{"services": [{}]}', "null"])
def test_a_line_that_announces_nothing_is_passed_on(line: str) -> None:
    assert announced_addresses(line) is None


HELLO: list[Any] = [{"role": "user", "content": "Say hello."}]
