"""Every example deploys, the document's two byte for byte, with the document's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.configuration import load
from tests.components.conftest import GATEWAY
from tests.components.deploying import TOKEN, Account, item, plain
from tests.support.examples import EXAMPLES, GATEWAYS, SERVICES, name_of


@pytest.mark.parametrize("file", GATEWAYS, ids=name_of)
def test_every_gateway_deploys(account: Account, file: Path) -> None:
    assert account.up("gateway", {"configuration": str(file)}).exports["url"]


@pytest.mark.parametrize("file", SERVICES, ids=name_of)
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


def test_the_canary_shares_its_model_name_by_the_weights_of_two_stacks(account: Account) -> None:
    account.with_gateway(f"{GATEWAY}domain: example.com\n")
    records = {
        name: item(
            account.up(name, {"configuration": str(EXAMPLES / f"canary/{name}.dstack.yml"), "weight": weight}).one(
                "aws:dynamodb/tableItem:TableItem", f"qwen-{name}-run"
            )
        )["record"]
        for name, weight in (("stable", "95"), ("new", "5"))
    }
    assert {name: (record["model"]["name"], record["weight"]) for name, record in records.items()} == {
        "stable": ("Qwen/Qwen2.5-7B-Instruct", 95),
        "new": ("Qwen/Qwen2.5-7B-Instruct", 5),
    }
