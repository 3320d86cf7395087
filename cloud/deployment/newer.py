"""Properties of AWS that the program sets and that the provider's version 5.100.0 does not have. This module sets them.

Pulumi's provider is built from 6.x. A property that is newer than 5.100.0 and not in this module is refused, because
nobody would notice that it is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud.deployment.terraform.translation import is_newer
from cloud.deployment.terraform.values import is_list, is_object
from commands.program_monitor import Refused
from commands.property_values import UNKNOWN, UnknownValue

INTEGRATION = "aws:apigateway/integration:Integration"
FUNCTION = "aws:lambda/function:Function"
_LONGEST = 300000
"""Milliseconds: the longest timeout of an integration that 5.100.0 takes. With responseTransferMode STREAM, AWS takes
900000, and 6.x too."""
_LEFT_TO_US: Mapping[str, frozenset[str]] = {INTEGRATION: frozenset({"responseTransferMode"})}


def refuse_unknown(type: str, inputs: Mapping[str, Any]) -> None:
    """Refuse a newer property that is not set here. `region` chooses the region that the provider is asked about."""
    known = _LEFT_TO_US.get(type, frozenset()) | {"region"}
    if unknown := sorted(path for path in _paths(inputs) if is_newer(type, path) and path not in known):
        raise Refused(
            f"{unknown[0]}: version 5.100.0 of Terraform's AWS provider does not have this property. Set it in "
            "cloud/deployment/newer.py"
        )


def understood(type: str, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs that 5.100.0 has."""
    if type == INTEGRATION and _is_longer(inputs):
        return {name: value for name, value in inputs.items() if name != "timeoutMilliseconds"}
    return inputs


def changed(type: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of changed properties that the provider does not compare."""
    names = [*_LEFT_TO_US.get(type, ()), *(["timeoutMilliseconds"] if type == INTEGRATION else [])]
    return tuple(name for name in names if old.get(name) != new.get(name))


def set_rest(type: str, inputs: Mapping[str, Any], region: str) -> None:
    """Set the newer properties, after the provider has made or changed the resource."""
    if type == INTEGRATION and (inputs.get("responseTransferMode") or _is_longer(inputs)):
        _integration(inputs, region)


def outputs(type: str, made: Mapping[str, Any], inputs: Mapping[str, Any], region: str) -> dict[str, Any]:
    """Return the outputs that only 6.x has."""
    newer: dict[str, Any] = {name: inputs[name] for name in changed(type, {}, inputs)} | {"region": region}
    if type == FUNCTION:
        # As 6.x writes it: internal/service/lambda/function.go, responseStreamingInvokeARN.
        path = f"2021-11-15/functions/{made['arn']}/response-streaming-invocations"
        arn = f"arn:aws:apigateway:{region}:lambda:path/{path}"
        newer["responseStreamingInvokeArn"] = UNKNOWN if made["arn"] == UNKNOWN else arn
    if type == "aws:s3/bucket:Bucket":
        newer["bucketRegion"] = region
    return newer


def _integration(inputs: Mapping[str, Any], region: str) -> None:
    """PutIntegration replaces what is there. So it gets all that the program set, and not only what is newer."""
    import boto3

    session: Any = boto3.Session(region_name=region)
    asked = {
        "restApiId": inputs["restApi"],
        "resourceId": inputs["resourceId"],
        "httpMethod": inputs["httpMethod"],
        "type": inputs["type"],
        "integrationHttpMethod": inputs.get("integrationHttpMethod"),
        "uri": inputs.get("uri"),
        "connectionType": inputs.get("connectionType"),
        "connectionId": inputs.get("connectionId"),
        "credentials": inputs.get("credentials"),
        "requestParameters": inputs.get("requestParameters"),
        "requestTemplates": inputs.get("requestTemplates"),
        "passthroughBehavior": inputs.get("passthroughBehavior"),
        "cacheNamespace": inputs.get("cacheNamespace"),
        "cacheKeyParameters": inputs.get("cacheKeyParameters"),
        "contentHandling": inputs.get("contentHandling"),
        "tlsConfig": inputs.get("tlsConfig"),
        "timeoutInMillis": inputs.get("timeoutMilliseconds"),
        "responseTransferMode": inputs.get("responseTransferMode"),
    }
    session.client("apigateway").put_integration(**{name: value for name, value in asked.items() if value is not None})


def _is_longer(inputs: Mapping[str, Any]) -> bool:
    longest = inputs.get("timeoutMilliseconds")
    return isinstance(longest, (int, float)) and longest > _LONGEST


def _paths(value: Any, where: str = "") -> list[str]:
    if isinstance(value, UnknownValue):
        return []
    if is_object(value):
        found: list[str] = []
        for name, one in value.items():
            path = f"{where}.{name}" if where else name
            found += [path, *_paths(one, path)]
        return found
    return [path for one in value for path in _paths(one, where)] if is_list(value) else []
