"""Services beside each other and behind their gateways: names, what is read, what is kept apart."""

from __future__ import annotations

from tests.components.conftest import GATEWAY
from tests.components.deploying import TOKEN, Account, plain

WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"


def test_a_new_run_name_makes_everything_new_and_then_deletes_the_old(account: Account) -> None:
    account.with_gateway(GATEWAY)
    before = account.up("run", {"configuration": account.written("serve.yml", WEB)})
    renamed = account.up("run", {"configuration": account.written("serve.yml", f"{WEB}name: other\n")})
    aws = [one for one in before.resources if one.type.startswith("aws:")]
    steps = list(renamed.changes().values())
    assert steps.count("create") == steps.count("delete") == len(aws) + 2
    assert set(steps) == {"create", "delete"}


def test_only_connection_is_read_from_the_gateway_s_stack(account: Account) -> None:
    account.with_gateway(GATEWAY)
    outputs = account.outputs["organization/servestack/gateway"]
    account.outputs["organization/servestack/gateway"] = {"connection": outputs["connection"]}
    account.up("run", {"configuration": account.written("serve.yml", WEB)})


def test_a_gateway_s_stack_may_be_of_another_name_or_project(account: Account) -> None:
    account.up("llm", {"configuration": account.written("gateway.yml", GATEWAY)})
    account.up("one", {"configuration": account.written("serve.yml", WEB), "gateway": "llm"})
    account.outputs["acme/platform/llm"] = account.outputs.pop("organization/servestack/llm")
    account.up("two", {"configuration": account.written("serve.yml", WEB), "gateway": "acme/platform/llm"})


def test_two_gateways_of_an_account_may_have_runs_of_the_same_name(account: Account) -> None:
    for gateway in ("development", "production"):
        account.up(gateway, {"configuration": account.written("gateway.yml", GATEWAY)})
        config = {"configuration": account.written("serve.yml", f"{WEB}name: run\n"), "gateway": gateway}
        account.up(f"{gateway}-run", config, secrets={"env": {"TOKEN": TOKEN}})
    names = [plain(one.outputs["name"]) for one in account.cloud.records.of("aws:ssm/parameter:Parameter")]
    tables = [one.id for one in account.cloud.records.of("aws:dynamodb/table:Table")]
    assert sorted(names) == sorted(f"/servestack/{table}/run/TOKEN" for table in tables)


def test_a_second_service_beside_the_first(account: Account) -> None:
    account.with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", WEB)}
    for stack in ("one", "two", "three"):
        account.up(stack, config)
    priorities = [one.outputs["priority"] for one in account.cloud.records.of("aws:lb/listenerRule:ListenerRule")]
    assert sorted(priorities) == [1, 2, 3]
