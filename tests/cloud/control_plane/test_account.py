"""The account answers preflight's questions, and knows what was made in it."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from infra.planning.boot import AMI_PARAMETER
from infra.preflight import Place, run_preflight
from infra.preflight.clients import aws_client
from tests.cloud.control_plane.conftest import REGION, Running
from tests.preflight.plans import WEB, clients, gateway_plan, service_plan

OWNER = "organization/servestack/yellow-cat-1"


@pytest.fixture
def as_user(plane: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in plane.environment.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("as_user")
def test_preflight_of_a_gateway_finds_everything_well(plane: Running) -> None:
    route53 = plane.client("route53")
    [zone] = route53.list_hosted_zones()["HostedZones"]
    servers = route53.get_hosted_zone(Id=zone["Id"])["DelegationSet"]["NameServers"]
    asked = clients(aws_client(), name_servers=lambda domain: servers, caa=lambda domain: [])
    findings = run_preflight(gateway_plan("models.localhost"), asked, owner="organization/servestack/gateway")
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("ok", "hosted zone"),
        ("ok", "delegation"),
        ("ok", "domain"),
        ("ok", "Lambda concurrency"),
        ("ok", "adapter layer"),
    ]


@pytest.mark.usefixtures("as_user")
def test_preflight_of_a_service_finds_everything_well(plane: Running) -> None:
    dynamodb, name = plane.client("dynamodb"), "gateway-table"
    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    kinds = [{"AttributeName": one["AttributeName"], "AttributeType": "S"} for one in keys]
    dynamodb.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=keys, AttributeDefinitions=kinds)
    subnets = tuple(one["SubnetId"] for one in plane.client("ec2").describe_subnets()["Subnets"])
    place = Place(region=REGION, account="123456789012", table=name, subnet_ids=subnets, owner=OWNER)
    plan = service_plan(f"{WEB}resources: {{gpu: H100:8}}\nspot_policy: auto\n")
    findings = run_preflight(plan, clients(aws_client()), place)
    assert [(finding.level, finding.topic) for finding in findings] == [
        ("ok", "credentials"),
        ("ok", "region"),
        ("ok", "run name"),
        ("ok", "services"),
        ("ok", "offers"),
        ("ok", "GPU quota"),
        ("ok", "GPU quota"),
    ]
    dynamodb.delete_table(TableName=name)


def test_the_image_of_replicas_is_there_in_every_region(plane: Running) -> None:
    for region in (REGION, "eu-central-1"):
        id = plane.client("ssm", region).get_parameter(Name=AMI_PARAMETER)["Parameter"]["Value"]
        [image] = plane.client("ec2", region).describe_images(ImageIds=[id])["Images"]
        assert (image["RootDeviceName"], image["Architecture"]) == ("/dev/xvda", "x86_64")


def test_a_certificate_is_issued_once_its_record_is_there(plane: Running) -> None:
    acm, route53 = plane.client("acm"), plane.client("route53")
    arn = acm.request_certificate(DomainName="*.models.localhost", ValidationMethod="DNS")["CertificateArn"]

    def described() -> dict[str, Any]:
        return acm.describe_certificate(CertificateArn=arn)["Certificate"]

    record = described()["DomainValidationOptions"][0]["ResourceRecord"]
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"]

    def write(action: str) -> None:
        members = {"Name": record["Name"], "Type": "CNAME", "TTL": 300, "ResourceRecords": [{"Value": record["Value"]}]}
        change = {"Action": action, "ResourceRecordSet": members}
        route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})

    until = time.monotonic() + 1.5  # longer than a certificate with a record waits
    while time.monotonic() < until:
        assert described()["Status"] == "PENDING_VALIDATION"
    write("CREATE")
    assert described()["Status"] == "ISSUED"
    write("DELETE")
    acm.delete_certificate(CertificateArn=arn)


def test_what_was_made_is_listed_until_it_is_gone(plane: Running) -> None:
    before = list(plane.cloud.resources())
    iam, logs = plane.client("iam"), plane.client("logs", "eu-west-1")
    iam.create_role(RoleName="listed", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}')
    logs.create_log_group(logGroupName="listed")
    plane.client("ec2", "eu-west-1").describe_vpcs()  # makes what every account has there
    assert [one for one in plane.cloud.resources() if one not in before] == [
        {"region": "aws", "kind": "aws_iam_role", "id": "listed"},
        {"region": "eu-west-1", "kind": "aws_cloudwatch_log_group", "id": "listed"},
    ]
    iam.delete_role(RoleName="listed")
    logs.delete_log_group(logGroupName="listed")
    assert list(plane.cloud.resources()) == before


def test_a_bucket_that_wants_tls_takes_files(plane: Running) -> None:
    s3 = plane.client("s3")
    s3.create_bucket(Bucket="files")
    everything = ["arn:aws:s3:::files", "arn:aws:s3:::files/*"]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    refused = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything, "Condition": condition}
    s3.put_bucket_policy(Bucket="files", Policy=json.dumps({"Version": "2012-10-17", "Statement": [refused]}))
    s3.put_object(Bucket="files", Key="a", Body=b"b")
    assert s3.get_object(Bucket="files", Key="a")["Body"].read() == b"b"
    s3.delete_object(Bucket="files", Key="a")
    s3.delete_bucket(Bucket="files")
