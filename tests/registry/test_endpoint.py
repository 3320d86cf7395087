"""DynamoDB's address, against the one that AWS's own client would ask."""

from __future__ import annotations

import boto3
import pytest

from gateway_lambda.registry.endpoint import dynamodb_endpoint, region_in

REGIONS = [
    region
    for partition in boto3.Session().get_available_partitions()
    for region in boto3.Session().get_available_regions("dynamodb", partition)
]
OURS, ALL, IGNORED = "AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"


def test_every_region_has_the_address_that_botocore_knows() -> None:
    asked = {region: _client_address(region) for region in REGIONS}
    assert {region: dynamodb_endpoint({}, region) for region in REGIONS} == asked
    assert len(asked) > 30


@pytest.mark.parametrize(
    "region", ["us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1", "eusc-de-east-1"]
)
def test_partitions_apart_have_their_own_domains(region: str) -> None:
    assert dynamodb_endpoint({}, region) == _client_address(region)


@pytest.mark.parametrize("ours", [None, "http://127.0.0.1:1111"])
@pytest.mark.parametrize("general", [None, "http://127.0.0.1:2222"])
@pytest.mark.parametrize("ignored", [None, "true", "True", "false"])
def test_variables_name_an_address_as_they_do_for_aws_clients(
    monkeypatch: pytest.MonkeyPatch, ours: str | None, general: str | None, ignored: str | None
) -> None:
    given = {OURS: ours, ALL: general, IGNORED: ignored}
    environment = {name: value for name, value in given.items() if value}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert dynamodb_endpoint(environment, "eu-west-1") == _client_address("eu-west-1")


def test_the_region_is_the_functions_own() -> None:
    assert region_in({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"}) == "eu-west-1"
    assert region_in({"AWS_REGION": " ", "AWS_DEFAULT_REGION": "us-east-1"}) == "us-east-1"
    assert region_in({}) is None


def _client_address(region: str) -> str:
    client = boto3.client("dynamodb", region, aws_access_key_id="id", aws_secret_access_key="secret")
    return client.meta.endpoint_url
