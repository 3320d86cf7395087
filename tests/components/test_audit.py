"""Which logs `audit` keeps, and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.aws.recording import Recording
from tests.aws.standin import Cloud
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account
from tests.components.test_existing_network import existing, in_existing

BUCKET, FLOW_LOG = "aws:s3/bucket:Bucket", "aws:ec2/flowLog:FlowLog"
AUDIT = "gateway-audit"
BALANCER = "aws:lb/loadBalancer:LoadBalancer"


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    account = Account(tmp_path_factory.mktemp("account"))
    return account.up("gateway", {"configuration": account.written("gateway.yml", GATEWAY), "audit": "true"})


def test_the_load_balancer_and_the_network_write_into_one_bucket(audited: Recording) -> None:
    bucket = audited.made(audited.one(BUCKET, AUDIT)).id
    assert bucket.startswith("servestack-gateway-")
    assert audited.one(BALANCER).inputs["accessLogs"] == {"bucket": bucket, "prefix": "load-balancer", "enabled": True}
    assert audited.one(FLOW_LOG).inputs == {
        "vpcId": audited.made(audited.one("aws:ec2/vpc:Vpc")).id,
        "trafficType": "ALL",
        "logDestinationType": "s3",
        "logDestination": f"arn:aws:s3:::{bucket}/network/",
        "maxAggregationInterval": 600,
        "tags": {"Name": "gateway"},
    }


def test_the_bucket_is_private_and_its_logs_end(audited: Recording) -> None:
    bucket = audited.made(audited.one(BUCKET, AUDIT)).id
    private = audited.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock", AUDIT).inputs
    closed = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    assert private == {"bucket": bucket, **dict.fromkeys(closed, True)}
    (rule,) = audited.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    assert rule == {
        "id": "expire",
        "status": "Enabled",
        "filter": {},
        "expiration": {"days": 90},
        "abortIncompleteMultipartUpload": {"daysAfterInitiation": 7},
    }


def test_only_the_log_services_may_write_and_only_by_tls(audited: Recording) -> None:
    bucket = f"arn:aws:s3:::{audited.made(audited.one(BUCKET, AUDIT)).id}"
    account = {"aws:SourceAccount": "123456789012"}
    logs = {"aws:SourceArn": "arn:aws:logs:us-east-1:123456789012:*"}
    policy = json.loads(str(audited.one("aws:s3/bucketPolicy:BucketPolicy", AUDIT).inputs["policy"]))
    assert policy["Statement"] == [
        {
            "Sid": "LoadBalancersWrite",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": f"{bucket}/load-balancer/AWSLogs/123456789012/*",
        },
        {
            "Sid": "AWSLogDeliveryWrite",
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["s3:PutObject"],
            "Resource": f"{bucket}/network/AWSLogs/123456789012/*",
            "Condition": {
                "StringEquals": {**account, "s3:x-amz-acl": "bucket-owner-full-control"},
                "ArnLike": logs,
            },
        },
        {
            "Sid": "AWSLogDeliveryAclCheck",
            "Effect": "Allow",
            "Principal": {"Service": "delivery.logs.amazonaws.com"},
            "Action": ["s3:GetBucketAcl", "s3:ListBucket"],
            "Resource": bucket,
            "Condition": {"StringEquals": account, "ArnLike": logs},
        },
        {
            "Sid": "NobodyWithoutTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [bucket, f"{bucket}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]


def test_what_writes_waits_for_the_policy_and_the_bucket_stays_without_the_stack(audited: Recording) -> None:
    policy = audited.one("aws:s3/bucketPolicy:BucketPolicy", AUDIT)
    assert policy.urn in audited.waits_for(audited.one(BALANCER))
    assert policy.urn in audited.waits_for(audited.one(FLOW_LOG))
    of_s3 = [one for one in audited.resources if one.type.startswith("aws:s3/") and one.name == AUDIT]
    assert [one.name for one in of_s3 if not one.retain_on_delete] == []
    assert audited.one(FLOW_LOG).retain_on_delete is not True


def test_it_is_turned_on_and_off_in_place(account: Account) -> None:
    config = {"configuration": account.written("gateway.yml", GATEWAY)}
    account.up("gateway", config)
    made = dict.fromkeys(
        (
            "Bucket gateway-audit",
            "BucketPublicAccessBlock gateway-audit",
            "BucketLifecycleConfiguration gateway-audit",
            "BucketPolicy gateway-audit",
            "FlowLog gateway-network",
        ),
        "create",
    )
    on = account.up("gateway", {**config, "audit": "true"}).changes()
    assert on == {**made, "LoadBalancer gateway-load-balancer": "update"}
    off = account.up("gateway", config).changes()
    assert off == {**dict.fromkeys(made, "delete"), "LoadBalancer gateway-load-balancer": "update"}


def test_an_existing_network_gets_no_flow_log(tmp_path: Path) -> None:
    account = Account(tmp_path, Cloud(existing()))
    made = account.up("gateway", in_existing(account, audit="true"))
    assert made.of(FLOW_LOG) == ()
    assert made.one(BALANCER).inputs["accessLogs"]["enabled"] is True
    said = [message for _, message in made.run.messages if message.startswith("audit logs")]
    assert said == [
        "audit logs only the load balancer: vpc-0123456789abcdef0 is an existing VPC, which others can use."
    ]


@pytest.mark.parametrize("name", ["a-gateway-whose-name-has-forty-one-letters", "xn--gateway", "g--1"])
def test_the_bucket_has_a_name_that_s3_takes_whatever_the_gateway_s_is(account: Account, name: str) -> None:
    path = account.written("gateway.yml", f"{GATEWAY}name: {name[:41]}\n")
    made = account.up("gateway", {"configuration": path, "audit": "true"}).of(BUCKET)
    assert [bool(one.inputs["bucketPrefix"]) for one in made] == [True, True]
