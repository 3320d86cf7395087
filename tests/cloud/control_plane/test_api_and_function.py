"""The gateway's API and function keep what moto drops."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from typing import Any

import pytest

from infra.planning.adapter_layer import published_layer
from tests.cloud.control_plane.conftest import REGION, Running

STREAMING = (
    "arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/"
    "arn:aws:lambda:us-east-1:123456789012:function:f/response-streaming-invocations"
)


def test_an_api_keeps_its_binary_types_and_its_streaming_integration(plane: Running) -> None:
    api = plane.client("apigateway")
    made = api.create_rest_api(name="api", binaryMediaTypes=["image/*", "audio/*"])
    id, root = made["id"], made["rootResourceId"]
    where = {"restApiId": id, "resourceId": root, "httpMethod": "ANY"}
    api.put_method(**where, authorizationType="NONE")
    put = {"type": "AWS_PROXY", "integrationHttpMethod": "POST", "uri": STREAMING}
    api.put_integration(**where, **put)
    before = api.get_integration(**where)
    patches = {"/responseTransferMode": "STREAM", "/timeoutInMillis": "900000"}
    api.update_integration(
        **where, patchOperations=[{"op": "replace", "path": path, "value": to} for path, to in patches.items()]
    )
    after = api.get_integration(**where)
    assert [(one["responseTransferMode"], one["timeoutInMillis"]) for one in (before, after)] == [
        ("BUFFERED", 29_000),
        ("STREAM", 900_000),
    ]
    api.put_integration(**where, **put, responseTransferMode="STREAM", timeoutInMillis=900_000)
    assert api.get_integration(**where)["responseTransferMode"] == "STREAM"
    patched = [
        {"op": "remove", "path": "/binaryMediaTypes/audio~1*"},
        {"op": "add", "path": "/binaryMediaTypes/application~1octet-stream"},
        {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"},
        {"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "false"},
    ]
    api.update_rest_api(restApiId=id, patchOperations=patched)
    found = api.get_rest_api(restApiId=id)
    assert (found["binaryMediaTypes"], found["disableExecuteApiEndpoint"]) == (
        ["image/*", "application/octet-stream"],
        False,
    )
    arn = f"arn:aws:apigateway:{REGION}::/restapis/{id}"
    api.tag_resource(resourceArn=arn, tags={"a": "b", "c": "d"})
    api.untag_resource(resourceArn=arn, tagKeys=["a"])
    assert api.get_tags(resourceArn=arn)["tags"] == {"c": "d"}
    api.delete_rest_api(restApiId=id)


def test_a_domain_name_may_begin_with_a_star(plane: Running) -> None:
    api, name = plane.client("apigateway"), "*.models.localhost"
    rest = api.create_rest_api(name="api")["id"]
    made = api.create_domain_name(domainName=name, regionalCertificateArn="arn", securityPolicy="TLS_1_2")
    assert api.get_base_path_mappings(domainName=name).get("items", []) == []
    api.create_base_path_mapping(domainName=name, restApiId=rest)
    patch = {"op": "replace", "path": "/regionalCertificateArn", "value": "other"}
    api.update_domain_name(domainName=name, patchOperations=[patch])
    found = api.get_domain_name(domainName=name)
    assert (found["regionalDomainName"], found["regionalCertificateArn"]) == (made["regionalDomainName"], "other")
    [mapping] = api.get_base_path_mappings(domainName=name)["items"]
    assert (mapping["basePath"], mapping["restApiId"]) == ("(none)", rest)
    api.delete_domain_name(domainName=name)
    with pytest.raises(api.exceptions.NotFoundException):
        api.get_base_path_mappings(domainName=name)
    api.create_domain_name(domainName=name, regionalCertificateArn="arn", securityPolicy="TLS_1_2")
    assert api.get_base_path_mappings(domainName=name).get("items", []) == []
    with pytest.raises(api.exceptions.NotFoundException):
        api.get_base_path_mapping(domainName=name, basePath="(none)")
    api.create_base_path_mapping(domainName=name, restApiId=rest)
    api.delete_base_path_mapping(domainName=name, basePath="(none)")
    api.delete_domain_name(domainName=name)
    api.delete_rest_api(restApiId=rest)


def archive() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as zipped:
        zipped.writestr("run.sh", "#!/bin/bash\n")
    return written.getvalue()


def test_a_function_is_shown_with_all_that_runs_it(plane: Running) -> None:
    functions, ec2, iam = plane.client("lambda"), plane.client("ec2"), plane.client("iam")
    trust = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}'  # noqa: E501
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    subnet, code = ec2.describe_subnets()["Subnets"][0], archive()
    layer = published_layer(REGION)
    given: dict[str, Any] = {
        "Runtime": "python3.13",
        "Role": role,
        "Handler": "run.sh",
        "Timeout": 900,
        "MemorySize": 512,
        "Layers": [layer],
        "Environment": {"Variables": {"A": "b"}},
        "VpcConfig": {"SubnetIds": [subnet["SubnetId"]], "SecurityGroupIds": ["sg-1"]},
        "LoggingConfig": {"LogFormat": "Text", "LogGroup": "/servestack/gateway"},
    }
    made = functions.create_function(FunctionName="f", Code={"ZipFile": code}, Architectures=["arm64"], **given)
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=50)
    assert made["VpcConfig"]["VpcId"] == subnet["VpcId"]
    assert list(plane.cloud.functions()) == [
        {
            "arn": made["FunctionArn"],
            "name": "f",
            "region": REGION,
            "handler": "run.sh",
            "runtime": "python3.13",
            "architecture": "arm64",
            "memory": 512,
            "timeout": 900,
            "environment": {"A": "b"},
            "layers": [layer],
            "log_group": "/servestack/gateway",
            "log_format": "Text",
            "role": role,
            "code_sha256": base64.b64encode(hashlib.sha256(code).digest()).decode(),
            "concurrency": 50,
        }
    ]
    assert plane.cloud.code(REGION, "f") == code
    limit = functions.get_account_settings()["AccountLimit"]
    assert (limit["ConcurrentExecutions"], limit["UnreservedConcurrentExecutions"]) == (1000, 950)
    other = {"LogFormat": "JSON", "LogGroup": "/other"}
    functions.update_function_configuration(FunctionName="f", LoggingConfig=other, Environment={})
    found = functions.get_function_configuration(FunctionName="f")
    assert found["LoggingConfig"] == {"ApplicationLogLevel": "INFO", "SystemLogLevel": "INFO", **other}
    assert "Environment" not in found
    functions.delete_function(FunctionName="f")
    assert plane.cloud.functions() == []
    iam.delete_role(RoleName="function")
