from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.aws.recording import Recording
from tests.components.deploying import TOKEN, Account
from tests.support.examples import EXAMPLES


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """An empty account."""
    return Account(tmp_path)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The example's gateway, deployed into an empty account."""
    return Account(tmp_path_factory.mktemp("account")).up(
        "gateway", {"configuration": str(EXAMPLES / "gateway.dstack.yml")}
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The document's first service, with its settings and a secret token, behind the example's gateway."""
    account = Account(tmp_path_factory.mktemp("account"))
    return account.with_gateway((EXAMPLES / "gateway.dstack.yml").read_text()).up(
        "yellow-cat-1",
        {"configuration": str(EXAMPLES / "mistral" / "serve.dstack.yml"), "gpu": "24GB"},
        secrets={"env": {"HUGGING_FACE_HUB_TOKEN": TOKEN}},
    )


@pytest.fixture
def deploy(account: Account) -> Callable[..., Recording]:
    """Deploys a gateway and then a service of this text, with `config` in stack config."""

    def deployed(text: str, stack: str = "run", gateway: str = "", **config: object) -> Recording:
        domain = gateway or "domain: example.com\n"
        return account.with_gateway(GATEWAY + domain).up(
            stack, {"configuration": account.written("serve.yml", text), **config}
        )

    return deployed


GATEWAY = "type: gateway\nbackend: aws\nregion: us-east-1\n"
