"""What differs between services: buying, replicas and scaling, zones, image, waiting, domain, auth, credentials."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import EXAMPLES, TOKEN, Account, is_secret, item, plain

Deploy = Callable[..., Recording]
WEB = "type: service\nimage: nginx\nport: 80\nresources: {gpu: 24GB}\n"
TGI = (
    "type: service\nimage: ghcr.io/huggingface/text-generation-inference:3.3.7\nport: 80\n"
    "model: {type: chat, name: m, format: tgi, chat_template: '{{ messages }}', eos_token: '</s>'}\n"
    "resources: {gpu: 24GB}\n"
)
NO_DOMAIN = " "
GROUP = "aws:autoscaling/group:Group"
TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
DYNAMIC = "pulumi-python:dynamic:Resource"


def test_without_a_domain_a_run_answers_by_path_and_has_a_host_of_its_own_behind_the_balancer(deploy: Deploy) -> None:
    service = deploy(TGI, gateway=NO_DOMAIN)
    assert service.of("aws:route53/record:Record") == ()
    rule = service.one("aws:lb/listenerRule:ListenerRule").inputs
    assert rule["conditions"] == [{"hostHeader": {"values": ["run.internal"]}}]
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"]["host"] == "run.internal"
    base = str(service.exports["url"]).removesuffix("/services/run")
    assert base.endswith(".execute-api.us-east-1.amazonaws.com/live")
    assert service.exports["openai_base_url"] == f"{base}/v1"


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "spot_policy: spot\nmax_price: 1.5",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1.5",
            },
        ),
        (
            "spot_policy: spot\nmax_price: 1.23456789",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1.23456789",
            },
        ),
        (
            "spot_policy: spot\nmax_price: 1000000",
            {
                "onDemandBaseCapacity": 0,
                "onDemandPercentageAboveBaseCapacity": 0,
                "spotMaxPrice": "1000000",
            },
        ),
        ("spot_policy: auto", {"onDemandBaseCapacity": 1, "onDemandPercentageAboveBaseCapacity": 0}),
        (
            "spot_policy: auto\nreplicas: 2..4\nscaling: {metric: rps, target: 1}",
            {"onDemandBaseCapacity": 2, "onDemandPercentageAboveBaseCapacity": 0},
        ),
        (
            "spot_policy: on-demand\nmax_price: 1.5",
            {"onDemandBaseCapacity": 0, "onDemandPercentageAboveBaseCapacity": 100},
        ),
    ],
)
def test_replicas_are_bought_as_the_spot_policy_says(deploy: Deploy, keys: str, expected: dict[str, Any]) -> None:
    group = deploy(f"{WEB}{keys}\n").one(GROUP).inputs
    assert group["mixedInstancesPolicy"]["instancesDistribution"] == {
        "onDemandAllocationStrategy": "prioritized",
        "spotAllocationStrategy": "price-capacity-optimized",
        **expected,
    }
    assert group["capacityRebalance"] is (expected["onDemandPercentageAboveBaseCapacity"] == 0)


SCALED = f"{WEB}replicas: 1..4\nscaling: {{metric: rps, target: 2.5, scale_up_delay: 2m, scale_down_delay: 15m}}\n"


def test_replicas_are_added_by_requests_a_minute_and_replica(deploy: Deploy) -> None:
    service = deploy(SCALED)
    add = service.one("aws:autoscaling/policy:Policy", "run-add")
    target = service.made(service.one("aws:lb/targetGroup:TargetGroup")).outputs["arnSuffix"]
    balancer = next(service.cloud.records.of("aws:lb/loadBalancer:LoadBalancer")).outputs["arnSuffix"]
    assert {name: add.inputs[name] for name in add.inputs if name not in ("name", "autoscalingGroupName")} == {
        "policyType": "TargetTrackingScaling",
        "estimatedInstanceWarmup": 120,
        "targetTrackingConfiguration": {
            "targetValue": 150,
            "disableScaleIn": True,
            "predefinedMetricSpecification": {
                "predefinedMetricType": "ALBRequestCountPerTarget",
                "resourceLabel": f"{balancer}/{target}",
            },
        },
    }
    waited = service.waits_for(add)
    assert {service.one(GROUP).urn, service.one("aws:lb/listenerRule:ListenerRule").urn} <= waited
    group = service.one(GROUP).inputs
    assert (group["minSize"], group["maxSize"]) == (1, 4)


def test_a_replica_is_taken_away_when_one_less_sufficed_all_through_the_delay(deploy: Deploy) -> None:
    service = deploy(SCALED)
    remove = service.one("aws:autoscaling/policy:Policy", "run-remove").inputs
    assert {name: remove[name] for name in ("policyType", "adjustmentType", "scalingAdjustment", "cooldown")} == {
        "policyType": "SimpleScaling",
        "adjustmentType": "ChangeInCapacity",
        "scalingAdjustment": -1,
        "cooldown": 900,
    }
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm").inputs
    assert alarm["alarmActions"] == [
        service.made(service.one("aws:autoscaling/policy:Policy", "run-remove")).outputs["arn"]
    ]
    assert (alarm["comparisonOperator"], alarm["threshold"], alarm["evaluationPeriods"]) == (
        "LessThanOrEqualToThreshold",
        0,
        15,
    )
    each, running, healthy, missing = alarm["metricQueries"]
    assert (each["metric"]["metricName"], each["metric"]["stat"], each["metric"]["period"]) == (
        "RequestCountPerTarget",
        "Sum",
        60,
    )
    assert running["metric"]["metricName"] == "GroupInServiceInstances"
    assert healthy["metric"]["metricName"] == "HealthyHostCount"
    assert set(healthy["metric"]["dimensions"]) == {"LoadBalancer", "TargetGroup"}
    assert missing["returnData"] is True
    assert "GroupInServiceInstances" in service.one(GROUP).inputs["enabledMetrics"]


MINUTES = [
    (2, 2, 75, True),
    (2, 2, 76, False),
    (3, 3, 100, True),
    (3, 3, 101, False),
    (1, 1, 0, True),
    (1, 1, 1, False),
    (1, 1, None, True),
    (1, 0, None, False),
    (1, None, None, False),
    (0, None, None, False),
]
"""(replicas in service, healthy ones, requests of each, whether one less suffices) at 150 requests a minute for one.
`None` is what the load balancer does not report. A replica that still starts is not idle."""


def test_what_the_alarm_takes_for_one_replica_too_many(deploy: Deploy) -> None:
    alarm = deploy(SCALED.replace("1..4", "0..4")).one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-remove").inputs
    expression = next(one["expression"] for one in alarm["metricQueries"] if "expression" in one)
    seen = [
        (*minute, evaluated(expression, **dict(zip(("running", "healthy", "each"), minute, strict=True))))
        for *minute, _ in MINUTES
    ]
    assert [(*minute, value <= alarm["threshold"]) for *minute, value in seen] == MINUTES


def evaluated(expression: str, **metrics: int | None) -> float:
    """CloudWatch's metric math at one minute, as far as it is used here."""
    functions = {
        "FILL": lambda metric, instead: instead if metric is None else metric,
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    return eval(expression, {}, {**functions, **metrics})


def test_from_zero_a_request_that_the_gateway_sees_starts_the_first_replica(deploy: Deploy) -> None:
    service = deploy(SCALED.replace("1..4", "0..4"))
    wake = service.one("aws:autoscaling/policy:Policy", "run-wake")
    assert (wake.inputs["policyType"], wake.inputs["adjustmentType"], wake.inputs["stepAdjustments"]) == (
        "StepScaling",
        "ExactCapacity",
        [{"scalingAdjustment": 1, "metricIntervalLowerBound": "0"}],
    )
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-wake").inputs
    requests, wanted, unserved = alarm["metricQueries"]
    table = next(service.cloud.records.of("aws:dynamodb/table:Table")).id
    assert (requests["metric"]["namespace"], requests["metric"]["dimensions"]) == (
        "servestack",
        {"Table": table, "Run": "run"},
    )
    assert wanted["metric"]["metricName"] == "GroupDesiredCapacity"
    assert unserved["expression"] == "IF(wanted < 1, requests, 0)"
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"]["min_replicas"] == 0


def test_a_replica_that_was_started_at_a_request_and_never_serves_is_taken_away(deploy: Deploy) -> None:
    service = deploy(SCALED.replace("1..4", "0..4"), boot_timeout="45m")
    alarm = service.one("aws:cloudwatch/metricAlarm:MetricAlarm", "run-give-up").inputs
    remove = service.made(service.one("aws:autoscaling/policy:Policy", "run-remove")).outputs["arn"]
    assert (alarm["alarmActions"], alarm["evaluationPeriods"], alarm["treatMissingData"]) == (
        [remove],
        45,
        "notBreaching",
    )
    expression = next(one["expression"] for one in alarm["metricQueries"] if "expression" in one)
    hopeless = [evaluated(expression, running=running, healthy=healthy) for running, healthy in SEEN]
    assert [count >= alarm["threshold"] for count in hopeless] == [False, True, True, False, False]


SEEN = [(0, None), (1, None), (2, 0), (1, 1), (2, 1)]
"""(replicas in service, healthy ones) at a minute."""


def test_a_service_that_scales_is_made_between_its_claim_and_its_route_and_all_of_it_goes_with_it(
    deploy: Deploy,
) -> None:
    service = deploy(f"{SCALED.replace('1..4', '0..4')}env: {{HF_TOKEN: {TOKEN}}}\n")
    claim, route = (service.one("aws:dynamodb/tableItem:TableItem", f"run-{name}") for name in ("claim", "run"))
    between = [one for one in service.resources if one.type.startswith("aws:") and one not in (claim, route)]
    assert [one.name for one in between if claim.urn not in service.waits_for(one)] == []
    assert [one.name for one in between if one.urn not in service.waits_for(route)] == []
    kept = [one.name for one in service.resources if one.protect or one.retain_on_delete or one.deleted_with]
    assert kept == [], "nothing of a service outlives its stack, or would keep it"


def test_a_user_s_tags_are_on_everything_that_takes_tags(deploy: Deploy) -> None:
    service = deploy(f"{WEB}tags: {{team: research, Name: web}}\n")
    tags = {
        "Name": "web",
        "servestack:stack": "organization/servestack/run",
        "servestack:run": "run",
        "team": "research",
    }
    (provider,) = [one for one in service.run.registrations if one.type == "pulumi:providers:aws"]
    assert json.loads(str(provider.inputs["defaultTags"])) == {"tags": tags}
    assert [one["tags"] for one in service.one(TEMPLATE).inputs["tagSpecifications"]] == [tags] * 3
    group = service.one(GROUP).inputs["tags"]
    assert {one["key"]: one["value"] for one in group} == tags


@pytest.mark.parametrize(
    ("text", "config"),
    [
        (SCALED.replace("1..4", "0..4"), {}),
        (f"{WEB}replicas: 0\n", {}),
        (WEB, {"wait": "false"}),
    ],
)
def test_where_nothing_is_waited_for_the_route_waits_for_the_group(
    deploy: Deploy, text: str, config: dict[str, str]
) -> None:
    service = deploy(text, **config)
    assert service.of(DYNAMIC) == ()
    route = service.one("aws:dynamodb/tableItem:TableItem", "run-run")
    assert service.one(GROUP).urn in service.waits_for(route)
    said = [message for severity, message in service.run.messages if severity == "info"]
    assert any(
        "Nothing waits" in message or "wait is false" in message or "no replica runs" in message for message in said
    )


def test_replicas_without_scaling_have_no_policy(deploy: Deploy) -> None:
    service = deploy(f"{WEB}replicas: 2\n")
    assert service.of("aws:autoscaling/policy:Policy") == ()
    group = service.one(GROUP).inputs
    assert (group["minSize"], group["maxSize"]) == (2, 2)
    assert group["instanceRefresh"]["preferences"]["maxHealthyPercentage"] == 150
    assert plain(service.one(DYNAMIC).inputs["minimum"]) == 2


def test_replicas_run_in_the_zones_that_are_named(deploy: Deploy) -> None:
    service = deploy(f"{WEB}availability_zones: [us-east-1b, us-east-1c]\n")
    subnets = {one.id: one.outputs["availabilityZone"] for one in service.cloud.records.of("aws:ec2/subnet:Subnet")}
    chosen = service.one(GROUP).inputs["vpcZoneIdentifiers"]
    assert {subnets[one] for one in chosen} == {"us-east-1b", "us-east-1c"}
    assert chosen == sorted(chosen)


def test_settings_of_readiness_are_the_stack_s(deploy: Deploy) -> None:
    service = deploy(WEB, boot_timeout="45m", on_failure="keep")
    given = {name: plain(service.one(DYNAMIC).inputs[name]) for name in ("boot_timeout", "on_failure")}
    assert given == {"boot_timeout": 2700, "on_failure": "keep"}
    group = service.one(GROUP).inputs
    assert group["healthCheckGracePeriod"] == 2700
    assert group["instanceRefresh"]["preferences"]["instanceWarmup"] == "1350"


@pytest.mark.parametrize(
    ("gateway_auth", "own", "needed"),
    [("true", None, True), ("false", None, False), ("true", "false", False), ("false", "true", True)],
)
def test_a_key_is_needed_as_the_service_says_else_the_gateway(
    account: Account, gateway_auth: str, own: str | None, needed: bool
) -> None:
    account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY), "auth": gateway_auth})
    config = {"configuration": account.written("serve.yml", TGI), **({} if own is None else {"auth": own})}
    service = account.up("run", config)
    assert item(service.one("aws:dynamodb/tableItem:TableItem", "run-run"))["record"].get("auth", True) is needed
    assert ("Authorization" in str(service.exports["curl"])) is needed


def test_a_service_without_a_model_has_a_plain_curl_and_no_model(deploy: Deploy) -> None:
    service = deploy(f"{WEB}auth: false\n")
    assert "model" not in service.exports
    assert service.exports["curl"] == "curl https://run.example.com/"
    check = service.one("aws:lb/targetGroup:TargetGroup").inputs["healthCheck"]
    assert (check["path"], check["matcher"]) == ("/", "200-499")


def test_a_key_of_the_upstream_s_own_is_secret_in_the_routing_item(deploy: Deploy) -> None:
    key = "upstream-key-AbCdEf0123456789"
    text = f"{WEB}model: {{type: chat, name: m, format: openai, upstream_api_key: {key}}}\n"
    service = deploy(text)
    entry = service.one("aws:dynamodb/tableItem:TableItem", "run-run")
    assert is_secret(entry.inputs["item"])
    assert item(entry)["record"]["model"]["upstream_api_key"] == key
    assert [where for where, text in service.texts() if key in text] == []


def test_a_run_s_name_may_be_one_that_ec2_takes_for_no_security_group(deploy: Deploy) -> None:
    assert (
        deploy(f"{WEB}name: sg-1\n").one("aws:ec2/securityGroup:SecurityGroup").inputs["namePrefix"]
        == "servestack-sg-1-"
    )


def test_credentials_of_the_image_s_registry_are_parameters(deploy: Deploy) -> None:
    password = "p4ssw0rd-AbCdEf-0123456789"
    service = deploy(f"{WEB}registry_auth: {{username: alice, password: {password}}}\n")
    parameters = {
        plain(one.inputs["name"]): plain(one.inputs["value"]) for one in service.of("aws:ssm/parameter:Parameter")
    }
    prefix = f"/servestack/{service.one('aws:dynamodb/tableItem:TableItem', 'run-claim').inputs['tableName']}/run/"
    assert parameters == {f"{prefix}registry-username": "alice", f"{prefix}registry-password": password}
    assert all(is_secret(one.inputs["value"]) for one in service.of("aws:ssm/parameter:Parameter"))
    assert [where for where, text in service.texts() if password in text] == []


def test_a_variable_of_the_caller_s_is_a_secret(account: Account, tmp_path: Any) -> None:
    account = Account(tmp_path, environment={"API_SECRET": TOKEN})
    account.with_gateway(GATEWAY)
    service = account.up("run", {"configuration": account.written("serve.yml", f"{WEB}env: [API_SECRET]\n")})
    assert plain(service.one("aws:ssm/parameter:Parameter").inputs["value"]) == TOKEN
    assert [where for where, text in service.texts() if TOKEN in text] == []


def test_a_changed_secret_rolls_the_replicas(account: Account) -> None:
    account.with_gateway(GATEWAY)
    config = {"configuration": account.written("serve.yml", WEB)}
    account.up("run", config, secrets={"env": {"TOKEN": "one"}})
    changed = account.up("run", config, secrets={"env": {"TOKEN": "two"}})
    assert changed.changes() == {
        "Parameter run-TOKEN": "update",
        "LaunchTemplate run-replica": "update",
        "Group run-replicas": "update",
        "Resource run-readiness": "update",
    }
    assert plain(changed.one(DYNAMIC).inputs["version"]) == "2"


def test_a_new_run_name_makes_everything_new_and_then_deletes_the_old(account: Account) -> None:
    account.with_gateway(GATEWAY)
    before = account.up("run", {"configuration": account.written("serve.yml", WEB)})
    renamed = account.up("run", {"configuration": account.written("serve.yml", f"{WEB}name: other\n")})
    aws = [one for one in before.resources if one.type.startswith("aws:")]
    steps = list(renamed.changes().values())
    assert steps.count("create") == steps.count("delete") == len(aws) + 1
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


def test_at_preview_what_is_known_is_asked_for_and_nothing_is_made(account: Account) -> None:
    account.with_gateway(GATEWAY)
    made = len(account.cloud.records.all)
    config = {"configuration": str(EXAMPLES / "mistral" / "serve.dstack.yml"), "gpu": "24GB"}
    preview = account.up("run", config, preview=True)
    assert len(account.cloud.records.all) == made
    kinds = [one.type.rpartition(":")[2] for one in preview.resources]
    assert {"TableItem", "TargetGroup", "LaunchTemplate", "Group", "Resource"} <= set(kinds)
    assert preview.exports["url"].endswith("/services/run")


def test_names_of_the_greatest_length_fit_everything(deploy: Deploy) -> None:
    domain = ".".join(["d" * 30, "e" * 27, "com"])
    account_text = f"{SCALED.replace('1..4', '0..4')}name: {'r' * 63}\n"
    with pytest.raises(AssertionError, match="no public hosted zone"):
        deploy(account_text, gateway=f"domain: {domain}\n")
    service = deploy(account_text, gateway=NO_DOMAIN)
    assert service.of(GROUP)
