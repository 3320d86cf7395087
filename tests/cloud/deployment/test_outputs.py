"""Terraform's state becomes what a Pulumi program expects."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from pulumi import _types as generated

from cloud.deployment.terraform.client import Provider
from cloud.deployment.terraform.outputs import function_outputs, outputs, resource_outputs
from cloud.deployment.terraform.translation import is_newer, terraform_name
from cloud.deployment.terraform.types import terraform_type
from cloud.deployment.terraform.values import Attribute, Block, Nested
from commands.property_values import UNKNOWN, SecretValue
from tests.aws.standin.tables import rows, types

RESOURCES = [type for type in types() if type.startswith("aws:")]
FUNCTIONS = [row["token"] for row in rows("functions")]


def attribute(name: str, type: Any, *, sensitive: bool = False) -> Attribute:
    return Attribute(name, type, required=False, optional=False, computed=True, sensitive=sensitive)


TLS = Nested("tls_config", Block({"insecure_skip_verification": attribute("", "bool")}, {}), "list", 0, 1)
INTEGRATION = Block(
    {
        "cache_key_parameters": attribute("", ["set", "string"]),
        "http_method": attribute("", "string"),
        "request_parameters": attribute("", ["map", "string"]),
        "timeout_milliseconds": attribute("", "number"),
        "uri": attribute("", "string"),
        "credentials": attribute("", "string", sensitive=True),
        **{
            name: attribute("", "string")
            for name in (
                "cache_namespace", "connection_id", "connection_type", "content_handling", "integration_http_method",
                "passthrough_behavior", "resource_id", "rest_api_id", "type",
            )
        },
        "request_templates": attribute("", ["map", "string"]),
    },
    {"tls_config": TLS},
)  # fmt: skip
TYPE = "aws:apigateway/integration:Integration"


def test_names_are_pulumi_s_a_list_of_one_is_its_item_and_what_is_not_set_is_left_out() -> None:
    state = {
        "cache_key_parameters": [],
        "http_method": "ANY",
        "request_parameters": {"integration.request.path.x": "'y'"},
        "rest_api_id": "abc",
        "timeout_milliseconds": 29000,
        "tls_config": [{"insecure_skip_verification": True}],
        "uri": UNKNOWN,
        "credentials": "arn",
    }
    assert outputs(TYPE, INTEGRATION, state) == {
        "cacheKeyParameters": [],
        "credentials": SecretValue("arn"),
        "httpMethod": "ANY",
        "requestParameters": {"integration.request.path.x": "'y'"},
        "restApi": "abc",
        "timeoutMilliseconds": 29000,
        "tlsConfig": {"insecureSkipVerification": True},
        "uri": UNKNOWN,
    }
    assert "tlsConfig" not in outputs(TYPE, INTEGRATION, {"tls_config": []})


def test_an_output_that_terraform_does_not_have_is_an_error() -> None:
    with pytest.raises(LookupError, match=r"uri: Terraform has nothing for it"):
        outputs(TYPE, Block({k: v for k, v in INTEGRATION.attributes.items() if k != "uri"}, INTEGRATION.blocks), {})


@pytest.mark.parametrize("type", [*RESOURCES, *FUNCTIONS])
def test_terraform_has_every_output_of_what_the_program_uses(terraform: Provider, type: str) -> None:
    if type in FUNCTIONS:
        block, shapes = terraform.data_block(terraform_type(type)), function_outputs(type)
    else:
        block, shapes = terraform.block(terraform_type(type)), resource_outputs(type)
    assert list(_unknown(type, "", block, shapes)) == []


def _unknown(type: str, where: str, block: Block, shapes: Mapping[str, Any]) -> Iterator[str]:
    """Why an output cannot be read, for each that cannot."""
    for property, declared in shapes.items():
        path = f"{where}.{property}" if where else property
        if is_newer(type, path):
            continue
        try:
            name = terraform_name(type, where, block, property)
        except LookupError as unknown:
            yield str(unknown)
            continue
        shape = generated.unwrap_type(declared)
        item = generated.unwrap_type(typing.get_args(shape)[-1]) if typing.get_args(shape) else shape
        if name in block.blocks and inspect.isclass(item) and generated.is_output_type(item):
            yield from _unknown(type, path, block.blocks[name].block, generated.output_type_types(item))
