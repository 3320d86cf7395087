"""The stand-in in place of other servers than a TGI."""

from __future__ import annotations

from pathlib import Path

import httpx
import openai
import pytest

from gateway_lambda.registry.record import Limits, Model
from local.stand_in import NAME, announced_addresses, as_served, own_template
from tests.local.conftest import GROUP
from tests.support.local_service import READY, serving
from tests.support.processes import python, running

OPENAI = "type: service\nimage: vllm/vllm-openai\nport: 8000\ncommands: [vllm serve]\nmodel: Qwen/Qwen2.5-7B\n"
WEB = "type: service\nimage: nginx\nport: 80\n"


@pytest.mark.xdist_group(GROUP)
def test_an_openai_server_and_a_plain_container_are_stood_in_for_and_it_is_said(tmp_path: Path) -> None:
    (tmp_path / "openai.dstack.yml").write_text(f"{OPENAI}name: qwen\n")
    (tmp_path / "web.dstack.yml").write_text(f"{WEB}name: web\n")
    with serving(*(str(path) for path in sorted(tmp_path.iterdir()))) as service:
        with openai.OpenAI(base_url=service.url, api_key="none") as client:
            assert [model.id for model in client.models.list()] == ["Qwen/Qwen2.5-7B"]
            chat = client.chat.completions.create(
                model="Qwen/Qwen2.5-7B", messages=[{"role": "user", "content": "Say hello."}], max_tokens=8
            )
            assert chat.choices[0].message.content
        with openai.OpenAI(base_url=f"{service.url}/services/qwen/v1", api_key="none") as client:
            [model] = client.models.list()
            chat = client.chat.completions.create(
                model=model.id, messages=[{"role": "user", "content": "Say hello."}], max_tokens=8, stream=True
            )
            assert "".join(chunk.choices[0].delta.content or "" for chunk in chat)
        answer = httpx.post(f"{service.url}/services/web/generate", json={"inputs": "Once", "parameters": SHORT})
        assert list(answer.json()) == ["generated_text"]
        assert (
            f"here     {NAME}, a small real model on this machine's CPU, stands in for Qwen/Qwen2.5-7B. At "
            "the address of the run it has TGI's API, with /v1/chat/completions and /v1/models. The gateway has the "
            "whole OpenAI API\n"
        ) in service.banner
        assert "has TGI's API; --docker runs nginx itself\n" in service.banner


@pytest.mark.xdist_group(GROUP)
def test_whoever_reads_only_the_first_line_of_the_banner_leaves_nothing_running(tmp_path: Path) -> None:
    (tmp_path / "web.dstack.yml").write_text(WEB)
    line = " ".join(python("-m", "local", str(tmp_path / "web.dstack.yml"), "--port", "0"))
    with running(["bash", "-c", f"{line} | head -1"]) as process:
        assert process.wait(within=60) == 0
        assert process.output == f"Reading {tmp_path}/web.dstack.yml …\n"
        assert "Traceback" not in process.output
        assert READY not in process.output


def test_what_is_said_of_the_configured_server_does_not_hold_for_the_stand_in() -> None:
    own = own_template()
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
    assert as_served(configured, own) == Model(
        name="m", max_n=2, created=5, chat_template=own.template, eos_token="<|im_end|>", bos_token="<|im_start|>"
    )


def test_a_template_of_the_configurations_own_is_kept() -> None:
    configured = Model(name="m", chat_template="{{ messages }}", eos_token="</s>")
    assert as_served(configured, own_template()) == configured


@pytest.mark.parametrize("line", ["", "llama.cpp: hello", "5", "{}", '{"services": [{}]}', "null"])
def test_a_line_that_announces_nothing_is_passed_on(line: str) -> None:
    assert announced_addresses(line) is None


SHORT = {"max_new_tokens": 4}
