"""The stand-in by itself: what it makes of a change, what holds what, what it keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.property_values import UNKNOWN
from tests.aws.sample import ALL, REGION, deploy
from tests.aws.standin import Cloud, Difference, NotAccepted, Record, World


@pytest.fixture
def cloud() -> Cloud:
    made = Cloud()
    deploy(made)
    return made


def named(cloud: Cloud, name: str) -> Record:
    return next(record for record in cloud.records.all if record.urn.endswith(f"::{name}"))


def change(cloud: Cloud, name: str, **properties: Any) -> Difference:
    record = named(cloud, name)
    return cloud.difference(record.type, record.inputs, {**record.inputs, **properties})


@pytest.mark.parametrize(
    ("name", "properties", "replacing"),
    [
        ("network", {"cidrBlock": "10.1.0.0/16"}, ["cidrBlock"]),
        ("network", {"tags": {"Name": "other"}}, []),
        ("network", {"instanceTenancy": "dedicated"}, ["instanceTenancy"]),
        ("subnet-a", {"ipv4NetmaskLength": 20}, ["ipv4NetmaskLength"]),
        ("targets", {"port": 9000}, ["port"]),
        ("targets", {"healthCheck": {"path": "/"}}, []),
        ("rule", {"conditions": [{"hostHeader": {"values": ["dog.example.com"]}}]}, []),
        ("rule", {"listenerArn": UNKNOWN}, ["listenerArn"]),
        ("balancer", {"internal": False, "idleTimeout": 60}, ["internal"]),
        ("listener", {"port": 8080}, []),
        ("template", {"imageId": "ami-11111111111111111"}, []),
        ("group", {"maxSize": 5}, []),
        ("group", {"initialLifecycleHooks": []}, ["initialLifecycleHooks"]),
        ("deployment", {"triggers": {"of": "2"}}, ["triggers"]),
        ("stage", {"deployment": "other1"}, []),
        ("claim", {"item": "{}"}, []),
        ("claim", {"tableName": "other"}, ["tableName"]),
        ("token", {"value": "hf_y"}, []),
        ("token", {"tier": "Advanced"}, []),
        ("token", {"dataType": "aws:ec2:image"}, ["dataType"]),
        ("mapping", {"domainNameId": "other"}, []),
        ("permission", {"invokedViaFunctionUrl": True}, ["invokedViaFunctionUrl"]),
        ("certificate", {"subjectAlternativeNames": []}, ["subjectAlternativeNames"]),
        ("balancer-group", {"description": "Other words"}, ["description"]),
        ("out-of-function", {"cidrIpv4": "10.0.0.0/8"}, []),
        (
            "into-replica",
            {"referencedSecurityGroupId": None, "cidrIpv4": "10.0.0.0/8"},
            ["cidrIpv4", "referencedSecurityGroupId"],
        ),
        ("key", {"length": 64}, ["length"]),
        ("integration", {"timeoutMilliseconds": 60000}, []),
        ("api", {"endpointConfiguration": {"types": "PRIVATE"}}, []),
        ("network", {"region": "us-east-1"}, ["region"]),
    ],
)
def test_a_change_is_made_in_place_or_replaces(
    cloud: Cloud, name: str, properties: Mapping[str, Any], replacing: list[str]
) -> None:
    found = change(cloud, name, **properties)
    assert found.changed == tuple(sorted(properties))
    assert list(found.replacing) == replacing


def test_a_replacement_with_a_fixed_name_goes_before_it_comes(cloud: Cloud) -> None:
    logs = named(cloud, "function-logs")
    found = cloud.difference(logs.type, logs.inputs, {**logs.inputs, "logGroupClass": "INFREQUENT_ACCESS"})
    assert found == Difference(("logGroupClass",), ("logGroupClass",), delete_first=True)
    type, urn = "aws:lb/targetGroup:TargetGroup", named(cloud, "targets").urn
    inputs = next(inputs for name, _, inputs in ALL if name == "targets")
    given = cloud.checked(type, urn, {**inputs, "vpcId": named(cloud, "network").id})
    assert cloud.difference(type, given, {**given, "port": 1}) == Difference(("port",), ("port",), delete_first=False)


def test_a_name_of_the_providers_own_is_kept_until_the_resource_is_replaced(cloud: Cloud) -> None:
    type, urn = "aws:iam/role:Role", "urn:pulumi:sample::servestack::aws:iam/role:Role::new"
    inputs = {"assumeRolePolicy": named(cloud, "replica-role").inputs["assumeRolePolicy"]}
    first = cloud.checked(type, urn, inputs)
    made = cloud.create(type, urn, first, REGION)
    assert made.id == first["name"] != inputs
    assert cloud.checked(type, urn, inputs, old=first)["name"] == first["name"]
    assert cloud.checked(type, urn, inputs)["name"] != first["name"]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("network", "DependencyViolation: The vpc"),
        ("subnet-a", "DependencyViolation: The subnet"),
        ("gateway", "has some mapped public address(es)"),
        ("replica-group", "held by the instances of"),
        ("balancer-group", "DependencyViolation: resource"),
        ("targets", "ResourceInUse: Target group"),
        ("deployment", "Active stages pointing to this deployment must be moved or deleted"),
        ("stage", "remove all base path mappings"),
        ("api", "remove all base path mappings"),
        ("certificate", "in use"),
        ("function-role", "must delete policies first"),
        ("replica-role", "must remove roles from instance profile first"),
    ],
)
def test_what_something_holds_does_not_go(cloud: Cloud, name: str, says: str) -> None:
    record = named(cloud, name)
    with pytest.raises(NotAccepted) as refused:
        cloud.delete(record.type, record.id)
    assert says in str(refused.value)
    assert record in cloud.records.all


def test_everything_goes_in_the_reverse_of_the_order_in_which_it_came(cloud: Cloud) -> None:
    for record in reversed(list(cloud.records.all)):
        cloud.delete(record.type, record.id)
    assert cloud.records.all == []


def test_protected_resources_stay(cloud: Cloud) -> None:
    balancer = named(cloud, "balancer")
    cloud.update(balancer.type, balancer.id, {**balancer.inputs, "enableDeletionProtection": True})
    with pytest.raises(NotAccepted, match="deletion protection"):
        cloud.delete(balancer.type, balancer.id)


def test_a_taken_run_name_is_refused_at_its_claim(cloud: Cloud) -> None:
    claim = named(cloud, "claim")
    with pytest.raises(NotAccepted, match="ConditionalCheckFailedException"):
        cloud.create(claim.type, "urn:pulumi:other::servestack::claim", claim.inputs, REGION)


def test_an_arn_of_another_region_is_a_text_as_any_other_where_aws_reads_none(cloud: Cloud) -> None:
    inputs = {**named(cloud, "token").inputs, "value": "arn:aws:sqs:us-west-2:123456789012:x", "name": "/llm/cat/QUEUE"}
    type, urn = "aws:ssm/parameter:Parameter", "urn:pulumi:a::b::queue"
    assert cloud.create(type, urn, cloud.checked(type, urn, inputs), REGION).outputs["value"] == inputs["value"]


def test_an_update_is_held_to_the_region_too(cloud: Cloud) -> None:
    function = named(cloud, "function")
    layers = ["arn:aws:lambda:us-west-2:753240598075:layer:LambdaAdapterLayerArm64:30"]
    with pytest.raises(NotAccepted, match="is in us-west-2, not in eu-central-1"):
        cloud.update(function.type, function.id, {**function.inputs, "layers": layers})


def test_a_load_balancer_takes_a_hundred_rules(cloud: Cloud) -> None:
    rule = named(cloud, "rule")
    for number in range(99):
        values = [f"run-{number}.example.com"]
        inputs = {**rule.inputs, "conditions": [{"hostHeader": {"values": values}}]}
        made = cloud.create(rule.type, f"urn:pulumi:sample::servestack::rule-{number}", inputs, REGION)
        assert made.outputs["priority"] == number + 2
    with pytest.raises(NotAccepted, match="TooManyRules"):
        cloud.create(rule.type, "urn:pulumi:sample::servestack::rule-100", rule.inputs, REGION)


def test_a_changed_template_is_a_new_version(cloud: Cloud) -> None:
    template = named(cloud, "template")
    assert template.outputs["latestVersion"] == 1
    changed = cloud.update(template.type, template.id, {**template.inputs, "imageId": "ami-11111111111111111"})
    assert (changed.id, changed.outputs["latestVersion"]) == (template.id, 2)


def test_outputs_are_shaped_as_aws_shapes_them(cloud: Cloud) -> None:
    function, api, balancer = named(cloud, "function"), named(cloud, "api"), named(cloud, "balancer")
    arn = f"arn:aws:lambda:{REGION}:123456789012:function:{function.id}"
    assert function.outputs["responseStreamingInvokeArn"] == (
        f"arn:aws:apigateway:{REGION}:lambda:path/2021-11-15/functions/{arn}/response-streaming-invocations"
    )
    assert api.outputs["executionArn"] == f"arn:aws:execute-api:{REGION}:123456789012:{api.id}"
    assert balancer.outputs["dnsName"].startswith(f"internal-{balancer.outputs['name']}-")
    assert balancer.id.endswith(f":loadbalancer/{balancer.outputs['arnSuffix']}")
    assert named(cloud, "certificate").outputs["status"] == "ISSUED"


def test_the_same_program_gets_the_same_answers(cloud: Cloud) -> None:
    again = Cloud()
    deploy(again)
    assert again.records.all == cloud.records.all


def test_an_account_lies_in_a_file_between_two_runs(cloud: Cloud, tmp_path: Path) -> None:
    cloud.save(tmp_path / "records.json")
    assert Cloud.load(tmp_path / "records.json").records == cloud.records


def test_a_preview_knows_what_was_given_and_not_what_is_computed(cloud: Cloud) -> None:
    inputs = cloud.checked("aws:ec2/vpc:Vpc", "urn:pulumi:a::b::network", {"cidrBlock": "10.0.0.0/16"})
    outputs = Cloud().preview("aws:ec2/vpc:Vpc", inputs)
    assert outputs["cidrBlock"] == "10.0.0.0/16"
    assert outputs["arn"] is outputs["defaultSecurityGroupId"] is UNKNOWN


def test_what_is_not_known_is_refused() -> None:
    cloud = Cloud()
    with pytest.raises(NotAccepted, match="does not know the resource type aws:sqs/queue:Queue"):
        cloud.checked("aws:sqs/queue:Queue", "urn:pulumi:a::b::c", {})
    with pytest.raises(NotAccepted, match="does not know the function"):
        cloud.call("aws:s3/getBucket:getBucket", {}, REGION)
    with pytest.raises(NotAccepted, match=r"has no argument \['zone'\]"):
        cloud.call("aws:route53/getZone:getZone", {"zone": "example.com"}, REGION)
    with pytest.raises(NotAccepted, match="no matching Route 53 Hosted Zone found"):
        cloud.call("aws:route53/getZone:getZone", {"name": "example.org"}, REGION)
    with pytest.raises(NotAccepted, match="Missing region configuration"):
        cloud.region(None)
    with pytest.raises(NotAccepted, match="invalid AWS Region: eu-middle-1"):
        cloud.region("eu-middle-1")
    assert Cloud(World(region="us-east-1")).region(None) == "us-east-1"
