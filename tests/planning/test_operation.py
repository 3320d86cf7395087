from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.configuration import GatewayConfiguration, GatewaySettings, ServiceSettings
from infra.configuration.reading import loads
from infra.planning import PlanError, ServicePlan, plan_gateway
from infra.planning.adapter_layer import published_layer
from infra.planning.plan import Roll
from infra.planning.running import Utilization

SERVICE = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
SCALING = "scaling: {metric: rps, target: 1}\n"
Plan = Callable[..., ServicePlan]


@pytest.mark.parametrize(
    ("replicas", "most"),
    [("0..3", 200), ("1", 200), ("1..4", 200), ("2", 150), ("3", 134), ("50..60", 102), ("200", 101)],
)
def test_one_replica_more_than_the_least_runs_during_a_roll(plan: Plan, replicas: str, most: int) -> None:
    scaling = SCALING if ".." in replicas else ""
    made = plan(f"{SERVICE}replicas: {replicas}\n{scaling}")
    assert made.roll == Roll(min_healthy_percentage=100, max_healthy_percentage=most, warmup=2100)


def test_no_old_replica_ends_before_it_is_known_whether_the_new_one_serves(plan: Plan) -> None:
    settings = ServiceSettings(configuration="serve.dstack.yml", boot_timeout=601)
    assert plan(SERVICE, settings=settings).roll.warmup > 601


@pytest.mark.parametrize(
    ("replicas", "wait", "said"),
    [
        ("1", True, []),
        ("1", False, ["make wait"]),
        ("0", True, ["no replica runs"]),
        ("0..2", True, ["pulumi up does not wait for a replica"]),
        ("0..2", False, ["pulumi up does not wait for a replica"]),
    ],
)
def test_the_plan_says_when_nothing_waits_for_the_service(
    plan: Plan, replicas: str, wait: bool, said: list[str]
) -> None:
    scaling = SCALING if ".." in replicas else ""
    settings = ServiceSettings(configuration="serve.dstack.yml", wait=wait)
    notes = plan(f"{SERVICE}replicas: {replicas}\n{scaling}", settings=settings).notes
    assert [part for part, note in zip(said, notes, strict=True) if part in note] == said


def test_the_plan_says_that_aws_counts_requests_by_the_minute(plan: Plan) -> None:
    made = plan(f"{SERVICE}replicas: 1..2\nscaling: {{metric: rps, target: 1, window: 5m}}\n")
    assert made.notes == ("scaling.window is 300s, but this has no effect: AWS counts requests per minute.",)


@pytest.mark.parametrize(
    ("written", "stack", "where"),
    [
        ("", "gateway-2", None),
        ("name: other", "Gate_way", None),
        ("", "Gate_way", "stack name"),
        ("", "g" * 42, "stack name"),
        ("", "sg-gateway", "stack name"),
        ("name: sg-gateway", "gateway", "name"),
    ],
)
def test_a_gateway_s_name_fits_everything_that_is_named_by_it(written: str, stack: str, where: str | None) -> None:
    configuration = loads(f"type: gateway\nbackend: aws\nregion: us-east-1\n{written}\n", "gateway.dstack.yml")
    assert isinstance(configuration, GatewayConfiguration)
    if where is None:
        assert plan_gateway(configuration, name=stack).name in ("gateway-2", "other")
        return
    with pytest.raises(PlanError) as refused:
        plan_gateway(configuration, name=stack)
    assert [problem.where for problem in refused.value.problems] == [where]


def test_the_layer_is_of_the_gateway_s_region() -> None:
    arn = "arn:aws:lambda:eu-west-1:753240598075:layer:LambdaAdapterLayerArm64:30"
    assert published_layer("eu-west-1") == arn


def test_a_region_without_the_layer_needs_a_copy_of_it() -> None:
    configuration = loads("type: gateway\nbackend: aws\nregion: me-south-1\n", "gateway.dstack.yml")
    assert isinstance(configuration, GatewayConfiguration)
    with pytest.raises(PlanError) as refused:
        plan_gateway(configuration, name="gateway")
    assert [(one.where, one.found, one.line) for one in refused.value.problems] == [("region", "me-south-1", 3)]
    settings = GatewaySettings(
        configuration="gateway.dstack.yml", adapter_layer="arn:aws:lambda:me-south-1:123456789012:layer:x:1"
    )
    assert plan_gateway(configuration, name="gateway", settings=settings).adapter_layer == settings.adapter_layer


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        ("LambdaAdapterLayerArm64:30", "adapter_layer is the ARN of a version of a Lambda layer"),
        (
            "arn:aws:lambda:us-east-1:123456789012:layer:adapter",
            "adapter_layer is the ARN of a version of a Lambda layer",
        ),
        (
            "arn:aws:lambda:us-east-1:123456789012:function:adapter:1",
            "adapter_layer is the ARN of a version of a Lambda layer",
        ),
        (
            "arn:aws:lambda:us-east-1:123456789012:layer:adapter:1\n",
            "adapter_layer is the ARN of a version of a Lambda layer",
        ),
        ("arn:aws:lambda:eu-west-1:123456789012:layer:adapter:1", "a function can use only layers of its own region"),
    ],
)
def test_another_layer_is_a_layer_version_of_the_gateway_s_region(layer: str, rule: str) -> None:
    configuration = loads("type: gateway\nbackend: aws\nregion: us-east-1\n", "gateway.dstack.yml")
    assert isinstance(configuration, GatewayConfiguration)
    settings = GatewaySettings(configuration="gateway.dstack.yml", adapter_layer=layer)
    with pytest.raises(PlanError) as refused:
        plan_gateway(configuration, name="gateway", settings=settings)
    (problem,) = refused.value.problems
    assert (problem.where, problem.found) == ("stack config adapter_layer", layer)
    assert rule in problem.rule
    assert "us-east-1" in str(problem)


def test_no_gpu_is_used_less_than_0_percent(plan: Plan) -> None:
    made = plan(f"{SERVICE}utilization_policy: {{min_gpu_utilization: 0, time_window: 1h}}\n")
    assert (made.utilization, made.always, made.notes) == (
        None,
        True,
        (
            "utilization_policy has no effect: no GPU is used less than 0 %, so nothing ends the service. Write "
            "min_gpu_utilization 1 or more.",
        ),
    )
    least = plan(f"{SERVICE}utilization_policy: {{min_gpu_utilization: 1, time_window: 1h}}\n")
    assert (least.utilization, least.always) == (Utilization(least=1, window=3600), False)


def test_a_replica_is_taken_away_within_a_day(plan: Plan) -> None:
    scaled = f"{SERVICE}replicas: 1..2\nscaling: {{metric: rps, target: 1, scale_down_delay: %s}}\n"
    assert plan(scaled % "24h").replicas.scaling is not None
    with pytest.raises(PlanError) as refused:
        plan(scaled % "25h")
    (problem,) = refused.value.problems
    assert (problem.where, problem.found, problem.line) == ("scaling.scale_down_delay", "90000s", 6)
