"""The real program under the real engine: a gateway without a domain in an existing VPC, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from pulumi import automation

from tests.aws.standin.world import ExistingEndpoint, ExistingImage, ExistingVpc, World
from tests.engine.deployment import ROOT, noise, refusal
from tests.engine.stacks import GATEWAY_WITHOUT_DOMAIN, MODEL, TOKEN, WEB, Stacks, in_order
from tests.planning.hub_server import Repository, serve_hub
from tests.support.requirements import require

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600), pytest.mark.xdist_group("engine-variants")]

TEMPLATE = "{% for message in messages %}[INST] {{ message.content }} [/INST]{% endfor %}"
VPC, SUBNETS = "vpc-0123456789abcdef0", ("subnet-0123456789abcdef0", "subnet-0123456789abcdef1")
IMAGE = ExistingImage(id="ami-0123456789abcdef0", root_device="/dev/sda1")
THERE = World(
    images=(IMAGE,),
    vpcs=(
        ExistingVpc(
            id=VPC,
            region="eu-central-1",
            subnets=dict(zip(SUBNETS, ("eu-central-1a", "eu-central-1b"), strict=True)),
            endpoints=(
                ExistingEndpoint(
                    id="vpce-0123456789abcdef0", service="dynamodb", route_tables=("rtb-0000000000000000a",)
                ),
            ),
        ),
    ),
)
PROTECTED = {"vpc_id": VPC, "subnet_ids": ",".join(SUBNETS), "auth": "false", "protect": "true", "audit": "true"}


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stacks]:
    """An account with a VPC of someone's, and a protected gateway in it that leaves its services open; and a Hub with
    a gated model that TOKEN may read."""
    require("pulumi")
    folder = tmp_path_factory.mktemp("variants")
    with serve_hub() as hub:
        hub.known_tokens = (TOKEN,)
        tokenizer = {"bos_token": "<s>", "eos_token": "</s>", "chat_template": TEMPLATE}
        hub.repositories["mistralai/Mistral-7B-Instruct-v0.1"] = Repository(
            {"tokenizer_config.json": json.dumps(tokenizer).encode()}, gated=True, granted=(TOKEN,)
        )
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(folder / "hub")}
        yield from _deployed(Stacks(folder / "stacks", world=THERE, environment=environment))


def _deployed(made: Stacks) -> Iterator[Stacks]:
    try:
        made.gateway(GATEWAY_WITHOUT_DOMAIN, **PROTECTED).up()
        yield made
    finally:
        made.close()


def test_an_existing_network_is_used_and_nothing_of_one_is_made(stacks: Stacks) -> None:
    types = {record.type.rpartition(":")[2] for record in stacks.deployment.account().records.all}
    assert types.isdisjoint({"Vpc", "Subnet", "InternetGateway", "RouteTable", "Route", "VpcEndpoint"})
    assert stacks.one("gateway", "LoadBalancer", "gateway-load-balancer").inputs["subnets"] == list(SUBNETS)


def test_without_a_domain_a_service_answers_below_the_api_s_address_and_is_not_waited_for_if_so_asked(
    stacks: Stacks,
) -> None:
    asked = len(stacks.asked.actions)
    up = stacks.stack("llm", MODEL, {"wait": "false"}, {"env.HUGGING_FACE_HUB_TOKEN": TOKEN}).up()
    base = up.outputs["openai_base_url"].value.removesuffix("/v1")
    assert base.startswith("https://")
    assert ".execute-api.eu-central-1.amazonaws.com" in base
    assert up.outputs["url"].value == f"{base}/services/llm"
    curl = up.outputs["curl"].value
    assert f"{base}/v1/chat/completions" in curl
    assert "Authorization" not in curl, "the gateway's services are open unless they say otherwise"
    assert stacks.asked.actions[asked:] == ["dynamodb:Query"] * 2 + ["dynamodb:PutItem"], "of its names alone"
    assert not any("Record" in name for _, name in stacks.events() if "llm" in name)
    assert stacks.one("llm", "ListenerRule", "llm-host").inputs["conditions"] == [
        {"hostHeader": {"values": ["llm.internal"]}}
    ]


def test_stack_config_closes_a_service_that_its_gateway_leaves_open_in_place(stacks: Stacks) -> None:
    before = stacks.happened()
    up = stacks.stack("llm", MODEL, {"wait": "false", "auth": "true"}, {"env.HUGGING_FACE_HUB_TOKEN": TOKEN}).up()
    assert stacks.events(before) == [("update", "TableItem llm-run")]
    assert (
        "Authorization: Bearer $(pulumi stack output api_keys --stack organization/servestack/gateway"
        in up.outputs["curl"].value
    )


def test_a_pinned_image_brings_its_root_device_which_stays_with_it_when_it_is_pinned_no_longer(stacks: Stacks) -> None:
    config, secrets = {"wait": "false", "auth": "true"}, {"env.HUGGING_FACE_HUB_TOKEN": TOKEN}
    before = stacks.happened()
    stacks.stack("llm", MODEL, {**config, "ami": IMAGE.id}, secrets).up()
    assert stacks.events(before) == [("update", "LaunchTemplate llm-replica"), ("update", "Group llm-replicas")]
    template = stacks.one("llm", "LaunchTemplate", "llm-replica").inputs
    assert (template["imageId"], template["blockDeviceMappings"][0]["deviceName"]) == (IMAGE.id, "/dev/sda1")
    before = stacks.happened()
    stacks.stack("llm", MODEL, config, secrets).up()
    assert stacks.events(before) == []


def test_a_service_moves_to_another_gateway_of_the_same_network_before_it_leaves_the_first(stacks: Stacks) -> None:
    # Without keys: every RandomBytes has the id `none`, by which the stand-in would delete the first gateway's.
    other = stacks.stack("other", GATEWAY_WITHOUT_DOMAIN, {**PROTECTED, "protect": "false", "keys": "[]"})
    other.up()
    stacks.stack("web", WEB, {"wait": "false"}).up()
    before = stacks.happened()
    moved = stacks.stack("web", WEB, {"wait": "false", "gateway": "other"})
    moved.up()
    anew = [
        "TableItem web-claim",
        "TargetGroup web-replicas",
        "ListenerRule web-host",
        "Group web-replicas",
        "TableItem web-run",
    ]
    events = stacks.events(before)
    assert in_order(events, *(("create", one) for one in anew), *(("delete", one) for one in reversed(anew)))
    admitted = "SecurityGroupIngressRule web-replica-from-load-balancer"
    assert in_order(events, ("create", admitted), ("create", "TableItem web-run"), ("delete", admitted))
    moved.destroy()
    other.destroy()


def test_the_document_s_configurations_deploy_byte_for_byte_with_its_settings(stacks: Stacks) -> None:
    """One after the other in one stack; the first one's template is on the Hub, for the token in stack config."""
    for example, model in (
        ("mistral", "mistralai/Mistral-7B-Instruct-v0.1"),
        ("llama-2", "TheBloke/Llama-2-13B-chat-GPTQ"),
    ):
        text = (ROOT / "examples" / example / "serve.dstack.yml").read_text()
        config, secrets = {"gpu": "24GB", "wait": "false"}, {"env.HUGGING_FACE_HUB_TOKEN": TOKEN}
        up = stacks.stack("yellow-cat-1", text, config, secrets).up()
        assert up.outputs["model"].value == model
        assert {"g5.xlarge", "g6.xlarge"} <= set(up.outputs["instance_types"].value.split(", "))
        assert TOKEN not in up.stdout + stacks.deployment.state("yellow-cat-1")
        item = json.loads(stacks.one("yellow-cat-1", "TableItem", "yellow-cat-1-run").inputs["item"])
        planned = json.loads(item["record"]["S"])["model"]
        assert (planned["name"], planned["eos_token"]) == (model, "</s>")
        assert (planned["chat_template"] == TEMPLATE) == (example == "mistral")
    stacks.stack("yellow-cat-1", text, config, secrets).destroy()


@pytest.mark.parametrize(
    ("stack", "configuration", "config", "says"),
    [
        ("fresh", WEB, {"gpus": "24GB"}, ["gpus", "gpu"]),
        ("fresh", f"{WEB}regions: [us-east-1]\n", {}, ["regions", "the region of its gateway, which is eu-central-1"]),
        (
            "fresh",
            WEB,
            {"aws:region": "us-east-1"},
            ["aws:region", "the configuration of the gateway says eu-central-1"],
        ),
        (
            "fresh",
            WEB,
            {"gateway": "nowhere"},
            ["nowhere, which means the stack organization/servestack/nowhere", "stack ls"],
        ),
        ("gateway", f"name: web\n{WEB}", {}, ["a stack keeps its type"]),
    ],
    ids=[
        "an unknown key of stack config",
        "a region that contradicts",
        "a region of the provider that contradicts",
        "a gateway that is no stack",
        "another type than the stack has",
    ],
)
def test_what_contradicts_is_refused_before_anything_is_made(
    stacks: Stacks, stack: str, configuration: str, config: dict[str, str], says: list[str]
) -> None:
    before = stacks.happened()
    with pytest.raises(automation.CommandError) as failed:
        stacks.stack(stack, configuration, config).up()
    shown = refusal(failed.value)
    assert [word for word in says if word not in shown] == []
    assert noise(shown) == []
    assert stacks.happened() == before


def test_without_a_configuration_the_engine_names_what_is_missing(stacks: Stacks) -> None:
    with pytest.raises(automation.CommandError) as failed:
        stacks.deployment.stack("empty", {}).up()
    assert "Stack 'empty' is missing configuration value 'configuration'" in refusal(failed.value)


def test_a_second_key_of_a_holder_is_made_beside_the_first(stacks: Stacks) -> None:
    before, first = stacks.happened(), _keys(stacks)
    up = stacks.gateway(GATEWAY_WITHOUT_DOMAIN, **PROTECTED, keys="default,default@2").up()
    assert sorted(stacks.events(before)) == [
        ("create", "RandomBytes gateway-key-default@2"),
        ("create", "TableItem gateway-key-default@2"),
    ]
    keys = up.outputs["api_keys"].value
    assert keys.keys() == {"default", "default@2"}
    assert set(_keys(stacks)) > set(first), "the first one is as it was"
    assert not any(key in stacks.deployment.state("gateway") for key in keys.values())


def test_a_protected_gateway_is_destroyed_after_its_protection_is_taken_away(stacks: Stacks) -> None:
    stacks.stack("llm", MODEL, {"wait": "false"}, {"env.HUGGING_FACE_HUB_TOKEN": TOKEN}).destroy()
    there = stacks.there("gateway")
    with pytest.raises(automation.CommandError) as failed:
        stacks.gateway(GATEWAY_WITHOUT_DOMAIN, **PROTECTED).destroy()
    said = refusal(failed.value)
    assert '::gateway-teardown (if protected: pulumi config set protect false)" cannot be deleted' in said
    assert stacks.there("gateway") == there

    before = stacks.happened()
    gateway = stacks.gateway(GATEWAY_WITHOUT_DOMAIN, **{**PROTECTED, "protect": "false"}, keys="default@2")
    gateway.up()
    assert sorted(stacks.events(before)) == [
        ("delete", "RandomBytes gateway-key-default"),
        ("delete", "TableItem gateway-key-default"),
        ("update", "LoadBalancer gateway-load-balancer"),
        ("update", "Table gateway-table"),
    ], "and the first key has been rotated away"
    before = stacks.happened()
    gateway.destroy()
    assert set(stacks.there("gateway")) == {"gateway-api-logs", "gateway-audit"}, "the account's log role and the logs"
    assert in_order(
        stacks.events(before),
        ("delete", "Listener gateway-listener"),
        ("delete", "LoadBalancer gateway-load-balancer"),
        ("delete", "SecurityGroup gateway-load-balancer"),
    )


def _keys(stacks: Stacks) -> list[str]:
    """The registry's items of keys."""
    items = [
        record.inputs["item"] for record in stacks.deployment.account().records.of("aws:dynamodb/tableItem:TableItem")
    ]
    return sorted(item for item in items if "key#" in item)
