"""Every example deploys, the document's two byte for byte, with the document's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.configuration import load
from tests.components.conftest import GATEWAY
from tests.components.deploying import EXAMPLES, TOKEN, Account, item, plain

SERVICES = sorted(EXAMPLES.glob("*/*.dstack.yml"))
GATEWAYS = sorted(EXAMPLES.glob("*.dstack.yml"))


@pytest.mark.parametrize("file", GATEWAYS, ids=lambda file: file.stem)
def test_every_gateway_deploys(account: Account, file: Path) -> None:
    assert account.up("gateway", {"configuration": str(file)}).exports["url"]


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.parent.name)
def test_every_service_deploys(account: Account, file: Path) -> None:
    account.with_gateway(f"{GATEWAY}domain: example.com\n")
    service = account.up("stack-name", {"configuration": str(file)}, secrets={"env": {"HF_TOKEN": TOKEN}})
    run = load(file).name or "stack-name"
    assert service.exports["url"] == f"https://{run}.example.com"
    assert [where for where, text in service.texts() if TOKEN in text] == []


@pytest.mark.parametrize(
    ("example", "model"),
    [("mistral", "mistralai/Mistral-7B-Instruct-v0.1"), ("llama-2", "TheBloke/Llama-2-13B-chat-GPTQ")],
)
def test_the_document_s_services_deploy_with_its_settings(account: Account, example: str, model: str) -> None:
    account.with_gateway((EXAMPLES / "gateway.dstack.yml").read_text())
    config = {"configuration": str(EXAMPLES / example / "serve.dstack.yml"), "gpu": "24GB"}
    service = account.up("yellow-cat-1", config, secrets={"env": {"HUGGING_FACE_HUB_TOKEN": TOKEN}})
    parameter = service.one("aws:ssm/parameter:Parameter")
    assert plain(parameter.inputs["value"]) == TOKEN
    assert [where for where, text in service.texts() if TOKEN in text] == []
    record = item(service.one("aws:dynamodb/tableItem:TableItem", "yellow-cat-1-run"))["record"]
    assert record["model"]["name"] == model
    assert (service.exports["url"], service.exports["model"]) == ("https://yellow-cat-1.example.com", model)
    assert {"g5.xlarge", "g6.xlarge"} <= set(str(service.exports["instance_types"]).split(", "))
