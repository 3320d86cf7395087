"""Preflight with real boto3 clients against moto, for all that it models; the rest is in the other files.

moto has no quotas of EC2, no account settings of Lambda and no layers of other accounts: `canned` answers for those.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from infra.planning.table_items import claim_item
from infra.preflight import Finding, Place, run_preflight
from infra.preflight.alarms import check_topic
from infra.preflight.clients import AwsClient, aws_client
from infra.preflight.offerings import offered
from infra.preflight.quotas import check_quotas
from infra.preflight.run_name import check_registry
from infra.preflight.zone import check_zone
from tests.preflight.canned import CannedAws, Refused
from tests.preflight.plans import WEB, clients, gateway_plan, service_plan

REGION = "us-east-1"
OWNER = "organization/servestack/yellow-cat-1"


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")  # they take ten seconds
    with mock_aws():
        yield


def client(service: str) -> Any:
    return boto3.client(service, REGION)  # pyright: ignore[reportCallIssue, reportArgumentType]


def beside(quotas: CannedAws) -> AwsClient:
    """moto's AWS, with quotas that a test gives."""
    real = aws_client()
    return lambda service, region: (quotas if service == "service-quotas" else real)(service, region)


def test_a_domain_is_found_in_its_zone_and_held_against_what_the_world_sees() -> None:
    route53 = client("route53")
    for name in ("example.com", "gpu.example.com", "other.org"):
        route53.create_hosted_zone(Name=name, CallerReference=name)
    zone = next(one for one in route53.list_hosted_zones()["HostedZones"] if one["Name"] == "gpu.example.com.")
    servers = route53.get_hosted_zone(Id=zone["Id"])["DelegationSet"]["NameServers"]
    id = zone["Id"].rpartition("/")[2]
    findings = check_zone(aws_client(), lambda domain: servers, gateway_plan("models.gpu.example.com"))
    assert [(finding.level, finding.message) for finding in findings] == [
        ("ok", f"gpu.example.com ({id}) holds models.gpu.example.com"),
        ("ok", f"the name servers of gpu.example.com point to the zone {id}"),
    ]


def test_claims_are_read_out_of_the_table() -> None:
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="gateway-table",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
    )
    other = {"pk": {"S": "registry"}, "sk": {"S": "key#default"}, "record": {"S": "{}"}}
    for item in (json.loads(claim_item("yellow-cat-1", OWNER)), json.loads(claim_item("two", "o/p/two")), other):
        dynamodb.put_item(TableName="gateway-table", Item=item)
    findings = check_registry(
        aws_client(), REGION, "gateway-table", service_plan(f"{WEB}model: m\nresources: {{gpu: 24GB}}\n"), OWNER
    )
    assert [finding.message for finding in findings] == [
        "yellow-cat-1 is claimed by organization/servestack/yellow-cat-1, the name of this stack, and no deployment of "
        "it was completed. If this one fails with ConditionalCheckFailedException, the state of the stack lacks the "
        "claim (docs/deploying.md): aws dynamodb delete-item --table-name gateway-table --key "
        '\'{"pk": {"S": "registry"}, "sk": {"S": "claim#yellow-cat-1"}}\' --region us-east-1',
        "m is free",
        "the gateway has 2 of at most 100",
    ]
    [taken, _] = check_registry(aws_client(), REGION, "gateway-table", service_plan(run="two"), OWNER)
    assert taken.level == "refusal"


def test_instances_that_run_are_counted_but_for_the_services_own() -> None:
    ec2 = client("ec2")
    image = ec2.register_image(Name="image", ImageLocation="somewhere")["ImageId"]
    own = [{"Key": "servestack:run", "Value": "yellow-cat-1"}, {"Key": "servestack:stack", "Value": OWNER}]
    for kind, tags in (("g5.2xlarge", []), ("g5.xlarge", own)):
        specified = [{"ResourceType": "instance", "Tags": tags}] if tags else []
        ec2.run_instances(ImageId=image, InstanceType=kind, MinCount=1, MaxCount=1, TagSpecifications=specified)
    quotas = CannedAws({"service-quotas.GetServiceQuota": {"Quota": {"Value": 64.0}}})
    plan = service_plan(f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge]\n")
    [finding] = check_quotas(beside(quotas), plan, REGION, OWNER)
    assert (finding.level, finding.message.partition(";")[0]) == (
        "ok",
        "Running On-Demand G and VT instances (L-DB2E81BA) in us-east-1: 64 vCPUs, 8 in use by others",
    )


def test_where_offers_are_sold_is_read_page_by_page() -> None:
    plan = service_plan(f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge, g5.2xlarge]\n")
    sold = offered(aws_client(), plan, REGION)
    assert list(sold) == ["g5.xlarge", "g5.2xlarge"]
    assert sold["g5.xlarge"] == sorted(sold["g5.xlarge"])


def test_a_whole_service_is_asked_about_and_nothing_is_raised() -> None:
    ec2 = client("ec2")
    subnets = tuple(subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"])
    plan = service_plan(f"{WEB}resources: {{gpu: A10G}}\ninstance_types: [g5.xlarge]\n")
    place = Place(region=REGION, account=None, table="missing", subnet_ids=subnets, owner=OWNER)
    quotas = CannedAws({"service-quotas.GetServiceQuota": Refused("AccessDeniedException", "no", 403)})
    findings = run_preflight(plan, clients(beside(quotas)), place)
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("refusal", "run name"),
        ("ok", "offers"),
        ("warning", "GPU quota"),
    ]


def test_a_topic_of_alarms_is_found_or_refused() -> None:
    sns = client("sns")
    arn = sns.create_topic(Name="on-call")["TopicArn"]
    plan = service_plan(alarm_topic=arn)
    [silent] = check_topic(aws_client(), plan.alarms, REGION)
    assert (silent.level, silent.message) == (
        "warning",
        f"{arn} has no subscriber, so alarms tell nobody: subscribe someone in SNS",
    )
    # moto confirms no subscription.
    heard = CannedAws({"sns.GetTopicAttributes": {"Attributes": {"SubscriptionsConfirmed": "1"}}})
    assert check_topic(heard, plan.alarms, REGION) == [Finding(level="ok", topic="alarm topic", message=arn)]
    sns.set_topic_attributes(TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue="alias/aws/sns")
    [encrypted] = check_topic(aws_client(), plan.alarms, REGION)
    assert (encrypted.level, encrypted.message) == (
        "refusal",
        f"CloudWatch cannot send to {arn}, because AWS's own key encrypts it: encrypt the topic with a key of your own "
        "that cloudwatch.amazonaws.com can use, or not at all",
    )
    [missing] = check_topic(aws_client(), service_plan(alarm_topic=f"{arn}-2").alarms, REGION)
    assert (missing.level, missing.message) == (
        "refusal",
        f"{arn}-2 does not exist, so alarms would tell nobody: correct alarm_topic, create the topic in SNS, or set "
        "alarm_email in its place",
    )


def test_without_a_topic_of_one_s_own_nothing_is_asked() -> None:
    aws = CannedAws({})
    email = service_plan(alarm_email="ops@example.com").alarms
    assert (check_topic(aws, None, REGION), check_topic(aws, email, REGION), aws.asked) == ([], [], [])
