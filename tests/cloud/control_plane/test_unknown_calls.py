"""A call that nothing here knows is an error that names it, at once."""

from __future__ import annotations

import urllib.request
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError

from tests.cloud.control_plane.conftest import REGION, Running

CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "ec2": ("ec2", "describe_ipam_pools", {}),
    "query": ("elasticbeanstalk", "describe_account_attributes", {}),
    "json": ("dynamodb", "list_global_tables", {}),
    "rest and json": ("apigateway", "get_sdk_types", {}),
    "rest and xml": ("route53", "list_cidr_collections", {}),
    "no such service": ("freetier", "get_free_tier_usage", {}),
}


@pytest.mark.parametrize("protocol", CALLS)
def test_an_unknown_call_is_refused_at_once_and_by_its_name(plane: Running, protocol: str) -> None:
    service, call, arguments = CALLS[protocol]
    # With the SDK's own retries: the call must not be one of those that are tried again.
    client: Any = boto3.client(
        service,  # pyright: ignore[reportArgumentType, reportCallIssue]
        REGION,
        endpoint_url=plane.url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    with pytest.raises(ClientError) as refused:
        getattr(client, call)(**arguments)
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("UnknownToThisCloud", 501)
    assert answer["ResponseMetadata"]["RetryAttempts"] == 0
    assert answer["Error"]["Message"].endswith(" is not known to this cloud")
    assert answer["Error"]["Message"] in plane.log.read_text()


def test_a_call_of_the_cbor_protocol_is_refused_in_cbor(plane: Running) -> None:
    request = urllib.request.Request(
        f"{plane.url}/service/GraniteServiceVersion20100801/operation/GetInsightRuleReport",
        method="POST",
        data=b"\xa0",
        headers={
            "Content-Type": "application/cbor",
            "smithy-protocol": "rpc-v2-cbor",
            "Authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{REGION}/monitoring/aws4_request",
        },
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    with refused.value as answer:
        assert (answer.code, answer.headers["Content-Type"]) == (501, "application/cbor")
        assert answer.read().startswith(b"\xa2\x79\x00\x06__type\x79\x00\x12UnknownToThisCloud\x79\x00\x07message\x79")


def test_a_call_that_is_sent_again_gets_the_answer_of_the_first_time(plane: Running) -> None:
    def create(invocation: str) -> tuple[int, str]:
        answer = httpx.post(
            plane.url,
            data={"Action": "CreateSecurityGroup", "Version": "2016-11-15", "GroupName": "g", "GroupDescription": "d"},
            headers={
                "Authorization": "AWS4-HMAC-SHA256 Credential=test/20261130/us-east-1/ec2/aws4_request, "
                "SignedHeaders=host, Signature=0",
                "amz-sdk-invocation-id": invocation,
            },
            timeout=100,
        )
        return answer.status_code, answer.text

    first = create("one")
    assert (first[0], create("one")) == (200, first)
    status, refused = create("another")
    assert (status, "InvalidGroup.Duplicate" in refused) == (400, True)
