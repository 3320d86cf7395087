"""The rest of a service's plan: run name, buying, replicas, health, record; and a gateway's."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import yaml

import gateway_lambda.registry.record as registry
from gateway_lambda.registry.record import Model, ModelClaim, Service
from infra.configuration import ConfigurationError, GatewaySettings, Secret, ServiceSettings
from infra.configuration.reading import loads
from infra.planning import (
    PlanError,
    ServicePlan,
    generated_run_name,
    offers_table,
    plan_gateway,
    service_record,
    unresolved,
)
from infra.planning.api_key import ApiKey
from infra.planning.container_plan import RegistryLogin
from infra.planning.gateway_plan import GatewayPlan
from infra.planning.plan import Purchase, RateLimit, Replicas, Scaling
from infra.planning.run_names import ADJECTIVES, ANIMALS
from infra.planning.table_items import model_item

Plan = Callable[..., ServicePlan]

SERVICE = "type: service\nimage: i\nport: 80\nresources: {gpu: '24GB:1'}\n"


def test_the_run_name_is_the_configuration_s_else_the_given_one(plan: Plan) -> None:
    assert plan(SERVICE).run == "run"
    assert plan(f"{SERVICE}name: yellow-cat-1\n").run == "yellow-cat-1"


@pytest.mark.parametrize("name", ["gateway", "services", "v1", "www", "Upper", "a.b", "-a", "a-", "a" * 64, "é", "a_b"])
def test_a_name_that_is_reserved_or_no_dns_label_is_refused(plan: Plan, name: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan(SERVICE, run=name)
    assert [problem.where for problem in caught.value.problems] == ["run name"]


def test_generated_names_are_the_same_for_the_same_file_and_different_for_others(tmp_path: Path) -> None:
    files = [tmp_path / folder / f"{name}.dstack.yml" for folder in "abcdef" for name in ("serve", "other")]
    names = [generated_run_name(file) for file in files]
    assert names == [generated_run_name(file) for file in files]
    assert len(set(names)) > 8, "different files have different names, but for chance"
    assert all(re.fullmatch(r"[a-z]+-[a-z]+-1", name) for name in names)
    moved = tmp_path / "elsewhere" / "a" / "serve.dstack.yml"
    assert generated_run_name(moved) == names[0], "a clone in another folder has the same names"
    first = names[0].removesuffix("1")
    assert generated_run_name(files[0], taken=names) == f"{first}2"
    assert generated_run_name(files[0], taken=[f"{first}1", f"{first}2"]) == f"{first}3"


def test_a_generated_name_hangs_on_the_file_s_place_and_not_on_how_it_is_spelt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    assert generated_run_name(Path("a.yml")) == generated_run_name(tmp_path / "folder" / "a.yml")


def test_every_generated_name_is_a_run_name() -> None:
    assert len(set(ADJECTIVES)) == len(ADJECTIVES) == len(set(ANIMALS)) == len(ANIMALS) == 64
    assert all(re.fullmatch(r"[a-z]{2,10}", word) for word in (*ADJECTIVES, *ANIMALS))
    assert "yellow" in ADJECTIVES
    assert "cat" in ANIMALS


@pytest.mark.parametrize(
    ("keys", "purchase", "note"),
    [
        (
            "",
            Purchase(
                spot_policy="on-demand", on_demand_base=0, on_demand_percentage_above_base=100, spot_max_price=None
            ),
            None,
        ),
        (
            "spot_policy: spot\nmax_price: 5",
            Purchase(spot_policy="spot", on_demand_base=0, on_demand_percentage_above_base=0, spot_max_price=5),
            "every replica is spot",
        ),
        (
            "spot_policy: auto",
            Purchase(spot_policy="auto", on_demand_base=1, on_demand_percentage_above_base=0, spot_max_price=None),
            "the first replica is on demand, the service never has more, so nothing is spot.",
        ),
        (
            "spot_policy: auto\nreplicas: 2..5\nscaling: {metric: rps, target: 1}",
            Purchase(spot_policy="auto", on_demand_base=2, on_demand_percentage_above_base=0, spot_max_price=None),
            "the first 2 replicas are on demand, up to 3 more are spot. dstack tries spot first",
        ),
        (
            "spot_policy: auto\nreplicas: 0..1\nscaling: {metric: rps, target: 1}",
            Purchase(spot_policy="auto", on_demand_base=1, on_demand_percentage_above_base=0, spot_max_price=None),
            "the first replica is on demand",
        ),
    ],
)  # fmt: skip
def test_buying_follows_the_spot_policy_and_says_where_dstack_differs(
    plan: Plan, keys: str, purchase: Purchase, note: str | None
) -> None:
    made = plan(f"{SERVICE}{keys}\n")
    assert made.purchase == purchase
    assert [note in said for said in made.notes if said.startswith("spot_policy")] == ([True] if note else [])


def test_replicas_and_scaling_are_planned(plan: Plan) -> None:
    assert plan(SERVICE).replicas == Replicas(minimum=1, maximum=1, scaling=None)
    text = f"{SERVICE}replicas: 0..3\nscaling: {{metric: rps, target: 2.5, scale_down_delay: 1h}}\n"
    scaling = Scaling(metric="rps", target=2.5, window=60, scale_up_delay=300, scale_down_delay=3600)
    assert plan(text).replicas == Replicas(minimum=0, maximum=3, scaling=scaling)


def test_rate_limits_and_tags_are_planned(plan: Plan) -> None:
    limits = "[{rps: 1, burst: 2}, {prefix: /a, key: {type: header, header: X}, rps: 3}]"
    made = plan(f"{SERVICE}rate_limits: {limits}\ntags: {{b: '1', a: '2'}}\n")
    assert made.rate_limits == (
        RateLimit(prefix="/", rps=1, burst=2, header=None),
        RateLimit(prefix="/a", rps=3, burst=0, header="X"),
    )
    assert made.tags == (("b", "1"), ("a", "2"))


def test_rate_limits_are_in_the_record_and_what_aws_makes_of_them_in_the_notes(plan: Plan) -> None:
    limits = "[{rps: 1.5, burst: 2}, {prefix: /a, key: {type: header, header: X}, rps: 3}]"
    made = plan(f"{SERVICE}rate_limits: {limits}\n")
    recorded = service_record(made, host="h")
    assert recorded.rate_limits == [
        registry.RateLimit(prefix="/", rps=1.5, burst=2),
        registry.RateLimit(prefix="/a", header="X", rps=3),
    ]
    assert msgspec.to_builtins(recorded)["rate_limits"] == [
        {"prefix": "/", "rps": 1.5, "burst": 2},
        {"prefix": "/a", "header": "X", "rps": 3.0},
    ]
    assert made.notes == ()


def test_without_rate_limits_the_record_does_not_speak_of_them(plan: Plan) -> None:
    assert "rate_limits" not in msgspec.to_builtins(service_record(plan(SERVICE)))


def test_tags_that_a_role_takes_for_one_are_refused(plan: Plan) -> None:
    with pytest.raises(ConfigurationError, match="tag keys must differ in more than upper and lower case") as caught:
        plan(f"{SERVICE}tags: {{team: a, other: b, Team: c}}\n")
    assert [(one.where, one.found) for one in caught.value.problems] == [("tags", "team, Team")]


def test_references_are_filled_before_anything_is_planned(plan: Plan) -> None:
    text = (
        f"{SERVICE}env: [NGC_API_KEY, PROBED=ready]\n"
        "registry_auth: {username: $oauthtoken, password: '${{ env.NGC_API_KEY }}'}\n"
        "model: {name: m, chat_template: T, eos_token: E, upstream_api_key: '${{ env.NGC_API_KEY }}'}\n"
        "probes: [{type: http, url: '/${{ env.PROBED }}'}]\n"
    )
    made = plan(text, environment={"NGC_API_KEY": "nvapi-1"})
    assert made.container.registry_login == RegistryLogin(username="$oauthtoken", password=Secret("nvapi-1"))
    assert made.upstream_api_key == Secret("nvapi-1")
    assert made.health_check.path == "/ready"


def test_a_secret_in_a_probe_s_address_is_refused_once_and_not_shown(plan: Plan) -> None:
    text = f"{SERVICE}env: [KEY]\nprobes: [{{type: http, url: '/${{{{ env.KEY }}}}'}}]\n"
    with pytest.raises(PlanError, match="KEY is a secret") as caught:
        plan(text, environment={"KEY": f"s3cret {'x' * 1024}"})
    assert [problem.where for problem in caught.value.problems] == ["probes[0].url"]
    assert "s3cret" not in str(caught.value)


def test_a_reference_to_no_variable_is_reported_with_the_rest(plan: Plan) -> None:
    text = f"{SERVICE}env: [B]\nregistry_auth: {{username: u, password: '${{{{ env.MISSING }}}}'}}\n"
    with pytest.raises(PlanError) as caught:
        plan(text)
    assert [problem.where for problem in caught.value.problems] == ["env.B", "registry_auth.password"]


def test_what_only_stack_config_says_is_in_the_plan(plan: Plan) -> None:
    settings = ServiceSettings(
        configuration="c", ami="ami-0123456789abcdef0", boot_timeout=60, on_failure="keep", wait=False, preflight=False
    )
    made, default = plan(SERVICE, settings=settings), plan(SERVICE)
    assert (made.ami, made.boot_timeout, made.on_failure, made.wait, made.preflight) == (
        "ami-0123456789abcdef0",
        60,
        "keep",
        False,
        False,
    )
    assert (default.ami, default.boot_timeout, default.on_failure, default.wait, default.preflight) == (
        None,
        1800,
        "stop",
        True,
        True,
    )


def test_the_record_says_where_a_run_answers_and_who_may_ask(plan: Plan) -> None:
    model = Model(name="m", chat_template="T", eos_token="E", upstream_api_key="k")
    text = f"{SERVICE}name: r\ninstance_types: [g6.xlarge, g5.xlarge]\n"
    text += "model: {name: m, chat_template: T, eos_token: E, upstream_api_key: k}\n"
    on_aws = Service(
        run="r",
        host="r.example.com",
        instance_types=["g6.xlarge", "g5.xlarge"],
        hourly_price=0.8048,
        model=model,
    )
    assert service_record(plan(text), host="r.example.com") == on_aws
    open_run = service_record(plan(text), url="http://127.0.0.1:1", gateway_auth=False)
    assert open_run == Service(run="r", url="http://127.0.0.1:1", auth=False, model=model)
    assert service_record(plan(f"{text}auth: false\n")).auth is False
    assert service_record(plan(f"{text}auth: true\n"), gateway_auth=False).auth is True
    assert service_record(plan(f"{SERVICE}replicas: 3\n")).min_replicas == 3


@pytest.mark.parametrize(
    ("more", "spot"),
    [
        ("", False),
        ("spot_policy: spot\n", True),
        ("spot_policy: auto\n", False),
        ("spot_policy: auto\nreplicas: 1..2\nscaling: {metric: rps, target: 1}\n", True),
        ("spot_policy: auto\nreplicas: 0..1\nscaling: {metric: rps, target: 1}\n", False),
    ],
)
def test_the_record_says_whether_a_replica_can_be_a_spot_instance(plan: Plan, more: str, spot: bool) -> None:
    made = plan(SERVICE + more)
    assert service_record(made).spot is spot
    assert service_record(made, url="http://127.0.0.1:1").spot is False


def test_every_problem_of_a_configuration_is_in_one_report(plan: Plan) -> None:
    text = """type: service
image: i
port: 80
env: [B, HF_TOKEN=hf_x]
resources: {gpu: 24GB, disk: 50GB}
max_price: 0.1
probes: [{type: http, url: '/${{ env.HF_TOKEN }}'}]
model: {name: not/on/the/hub}
"""
    with pytest.raises(PlanError) as caught:
        plan(text, run="V1")
    assert [problem.where for problem in caught.value.problems] == [
        "run name", "env.B", "probes[0].url", "resources.disk", "max_price", "model.chat_template",
    ]  # fmt: skip
    assert str(caught.value).startswith("test.dstack.yml: 6 problems\n")


def test_the_table_is_dstack_s(plan: Plan) -> None:
    assert offers_table(plan(SERVICE)) == (
        "#  INSTANCE    RESOURCES                                     SPOT  PRICE\n"
        "1  g6.xlarge   4xCPU, 16GB, 1xGPU L4 (24GB), 100GB (disk)    no    $0.8048\n"
        "2  g6.2xlarge  8xCPU, 32GB, 1xGPU L4 (24GB), 100GB (disk)    no    $0.9776\n"
        "3  g5.xlarge   4xCPU, 16GB, 1xGPU A10G (24GB), 100GB (disk)  no    $1.006\n"
        "   … 9 more offers, up to $4.096 an hour\n"
        "Prices are on-demand list prices per hour, in us-east-1 on 2026-07-20."
    )
    spot = offers_table(plan(f"{SERVICE}spot_policy: spot\ninstance_types: [g5.xlarge]\n"))
    assert spot.splitlines()[1:] == [
        "1  g5.xlarge  4xCPU, 16GB, 1xGPU A10G (24GB), 100GB (disk)  yes   <$1.006",
        "Prices are on-demand list prices per hour, in us-east-1 on 2026-07-20.",
    ]


GATEWAY = "type: gateway\nbackend: aws\nregion: eu-west-1\n"


def gateway(text: str, **settings: object) -> GatewayPlan:
    configuration = loads(text, "gateway.dstack.yml")
    assert configuration.type == "gateway"
    given = GatewaySettings.model_validate({"configuration": "c", **settings}) if settings else None
    return plan_gateway(configuration, name="stack", settings=given)


def test_a_gateway_is_planned_with_its_defaults() -> None:
    assert gateway(f"{GATEWAY}name: inference\ndomain: example.com\ntags: {{a: b}}\n") == GatewayPlan(
        name="inference",
        region="eu-west-1",
        domain="example.com",
        certificate_arn=None,
        auth=True,
        keys=(ApiKey(name="default"),),
        zone_id=None,
        vpc_id=None,
        subnet_ids=None,
        protect=True,
        manage_api_gateway_account=True,
        adapter_layer=None,
        memory_size=256,
        reserved_concurrency=None,
        audit=False,
        allowed_origins=("*",),
        tags=(("a", "b"),),
        preflight=True,
        notes=(),
    )


def test_dstack_s_sizes_of_a_gateway_s_instance_are_noted() -> None:
    made = gateway(f"{GATEWAY}name: inference\ndomain: example.com\ninstance_type: t3.large\nreplicas: 2\n")
    assert made.notes == (
        "instance_type: the gateway is a function, not an instance (t3.large). AWS runs as many copies of it as "
        "requests need; memory_size in stack config is the size of one.",
        "replicas: the gateway is a function, and AWS runs more than 2 copies of it if requests need them, in several "
        "availability zones.",
    )
    assert gateway(f"{GATEWAY}domain: example.com\nreplicas: 1\n").notes == ()


def test_a_domain_can_have_the_name_of_the_project() -> None:
    made = gateway(f"{GATEWAY}domain: ${{{{ run.project_name }}}}.example.com\n")
    project = yaml.safe_load((Path(__file__).parents[2] / "Pulumi.yaml").read_text(encoding="utf-8"))["name"]
    assert made.domain == f"{project}.example.com"


def test_a_gateway_without_a_name_domain_and_auth_is_planned_with_notes() -> None:
    made = gateway(GATEWAY, auth=False)
    assert (made.name, made.domain, made.auth) == ("stack", None, False)
    assert len(made.notes) == 2


LONG = f"{'a' * 63}.{'b' * 48}.example"
CERTIFICATE = "certificate: {type: acm, arn: 'arn:aws:acm:eu-west-1:123456789012:certificate/0'}\n"


@pytest.mark.parametrize(
    ("text", "settings", "where", "rule"),
    [
        (GATEWAY, {"zone_id": "Z0123456789ABCDEFGHIJ"}, "stack config zone_id", "domain is not set"),
        (f"{GATEWAY}domain: {'a' * 55}.example\n", {}, "domain", "at most 62 characters"),
        (f"{GATEWAY}domain: {LONG}.a\n{CERTIFICATE}", {}, "domain", "gateway.<domain> has at most 128 characters"),
        (f"{GATEWAY}domain: example.xn--p1ai\n", {}, "domain", "only letters"),
    ],
)
def test_what_a_gateway_cannot_be_is_refused(text: str, settings: dict[str, object], where: str, rule: str) -> None:
    with pytest.raises(PlanError) as caught:
        gateway(text, **settings)
    (problem,) = caught.value.problems
    assert (problem.where, rule in problem.rule) == (where, True)


def test_a_long_domain_with_a_certificate_of_one_s_own_is_fine() -> None:
    assert gateway(f"{GATEWAY}domain: {LONG}\n{CERTIFICATE}").domain == LONG


def test_alice_at_two_beside_alice_is_fine_and_her_first_key_may_have_limits() -> None:
    made = gateway(GATEWAY, keys={"alice": {"runs": ["a"], "requests_per_minute": 6}, "alice@2": {}})
    assert made.keys == (
        ApiKey(name="alice", runs=("a",), requests_per_minute=6),
        ApiKey(name="alice@2", requests_per_minute=6),
    )


def test_a_limit_of_one_key_is_the_limit_of_the_persons_other_keys() -> None:
    keys = {"a@2": {"tokens_per_day": 7}, "a": {"max_concurrent": 2, "expires": "2027-01-31"}, "b": {}}
    assert gateway(GATEWAY, keys=keys).keys == (
        ApiKey(name="a@2", tokens_per_day=7, max_concurrent=2),
        ApiKey(name="a", expires=datetime(2027, 2, 1, tzinfo=UTC), tokens_per_day=7, max_concurrent=2),
        ApiKey(name="b"),
    )


def test_a_key_that_has_expired_is_noted() -> None:
    settings = GatewaySettings.model_validate(
        {"configuration": "c", "keys": {"a": {"expires": "2027-01-30"}, "b": {"expires": "2027-01-31"}, "c": {}}}
    )
    configuration = loads(GATEWAY, "gateway.dstack.yml")
    assert configuration.type == "gateway"
    made = plan_gateway(configuration, name="stack", settings=settings, now=datetime(2027, 1, 31, tzinfo=UTC))
    assert [note for note in made.notes if "expired" in note] == [
        "The key a expired at 2027-01-31 00:00:00 UTC, and the gateway refuses it."
    ]


SHARING = ServiceSettings(configuration="c", weight=3)


def test_a_weight_is_noted_and_refused_without_a_model(plan: Plan) -> None:
    made = plan(f"{SERVICE}model: m\n", settings=SHARING)
    assert (made.weight, service_record(made).weight) == (3, 3)
    assert [note for note in made.notes if "weight" in note] == [
        "weight is 3: the gateway shares the requests for m among all runs with this model name and a weight, in "
        "proportion to their weights."
    ]
    with pytest.raises(PlanError, match="stack config weight") as caught:
        plan(SERVICE, settings=SHARING)
    assert [problem.remedy for problem in caught.value.problems] == ["remove it, or add the model to the configuration"]


def test_a_model_s_name_fits_into_a_key_of_the_table(plan: Plan) -> None:
    longest = plan(f"{SERVICE}model: {'é' * 500}\n").model
    assert longest is not None
    item = json.loads(model_item(ModelClaim(model=longest.name, holders=[])))
    assert len(item["sk"]["S"].encode()) <= 1024
    with pytest.raises(PlanError, match="a model's name has at most 1000 bytes"):
        plan(f"{SERVICE}model: {'é' * 501}\n")


def test_unresolved_plans_do_not_need_the_hub(plan: Plan) -> None:
    assert plan(f"{SERVICE}model: {{name: m}}\n", resolve=unresolved).model is not None
