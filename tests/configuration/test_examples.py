"""The two configurations of the document, byte for byte, and every other example."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.configuration import ModelConfiguration, ServiceConfiguration, load
from infra.configuration.__main__ import main
from infra.configuration.examples import configuration_path
from tests.support.examples import GATEWAYS, SERVICES, name_of

ROOT = Path(__file__).parents[2]
TGI = "ghcr.io/huggingface/text-generation-inference:latest"


def test_the_documents_first_configuration() -> None:
    assert load(ROOT / "examples/mistral/serve.dstack.yml") == ServiceConfiguration(
        type="service",
        image=TGI,
        env={"MODEL_ID": "mistralai/Mistral-7B-Instruct-v0.1"},
        port=80,
        commands=("text-generation-launcher --port 80 --trust-remote-code",),
        model=ModelConfiguration(type="chat", name="mistralai/Mistral-7B-Instruct-v0.1", format="tgi"),
    )


def test_the_documents_second_configuration() -> None:
    configuration = load(ROOT / "examples/llama-2/serve.dstack.yml")
    assert isinstance(configuration, ServiceConfiguration)
    assert configuration.model is not None
    template = configuration.model.chat_template or ""
    assert configuration == ServiceConfiguration(
        type="service",
        image=TGI,
        env={"MODEL_ID": "TheBloke/Llama-2-13B-chat-GPTQ"},
        port=80,
        commands=("text-generation-launcher --port 80 --trust-remote-code --quantize gptq",),
        model=ModelConfiguration(
            name="TheBloke/Llama-2-13B-chat-GPTQ", format="tgi", chat_template=template, eos_token="</s>"
        ),
    )
    assert template.startswith("{% if messages[0]['role'] == 'system' %}")
    assert r"'<<SYS>>\n' + system_message" in template, "YAML's double quotes make one backslash of two"


@pytest.mark.parametrize("example", [*GATEWAYS, *SERVICES], ids=name_of)
def test_every_example_is_a_configuration_and_has_a_short_name(
    example: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert main([str(example)]) == 0
    monkeypatch.chdir(tmp_path)
    assert Path(configuration_path(name_of(example))).resolve() == example
