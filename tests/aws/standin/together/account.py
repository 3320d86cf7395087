"""The table's items, DNS records and certificates, what a function's role may, and how many functions run at once."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import is_list
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.together import Questions
from tests.aws.standin.world import World

_FUNCTION = "aws:lambda/function:Function"
_CONCURRENT, _UNRESERVED = 1000, 100
"""Instances of functions that run at once in an account, by default, and those that none may reserve."""


def _item_is_new(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """tf dynamodb/table_item.go: PutItem with attribute_not_exists(hash key)."""
    table = records.find("aws:dynamodb/table:Table", "name", inputs["tableName"], region)
    item = json.loads(inputs["item"])
    if table is None:
        return
    for name in ("hashKey", "rangeKey"):
        key = table.outputs.get(name)
        if inputs.get(name) != key:
            yield Problem(name, f"ValidationException: the table's {name} is {key!r}, got {inputs.get(name)!r}")
        kinds = {one["name"]: one["type"] for one in table.outputs.get("attributes", ())}
        if key in item and next(iter(item[key])) != kinds.get(key):
            reason = f"Type mismatch for key {key} expected: {kinds.get(key)} actual: {next(iter(item[key]))}"
            yield Problem("item", f"ValidationException: One or more parameter values were invalid: {reason}")
    mine = item_key(inputs)
    for record in records.of("aws:dynamodb/tableItem:TableItem", region):
        if item_key(record.outputs) == mine:
            yield Problem("", "ConditionalCheckFailedException: The conditional request failed")


def item_key(inputs: Mapping[str, Any]) -> tuple[Any, ...]:
    """(table, values of its keys) of a table item."""
    item = json.loads(inputs["item"])
    return (inputs["tableName"], *(item.get(inputs.get(name)) for name in ("hashKey", "rangeKey")))


def item_id(inputs: Mapping[str, Any]) -> str:
    """tf dynamodb/table_item.go buildTableItemID: the table, each key and its value as bytes, text and number."""
    item, parts = json.loads(inputs["item"]), [str(inputs["tableName"])]
    for key in (inputs.get("hashKey"), inputs.get("rangeKey")):
        if key:
            parts += [key, *(str(item[key].get(kind, "")) for kind in ("B", "S", "N"))]
    return "|".join(parts)


def _validation_records_exist(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """acm/latest/userguide/dns-validation.html: without its record a certificate stays pending."""
    certificate = records.find("aws:acm/certificate:Certificate", "arn", inputs["certificateArn"], region)
    if certificate is None:
        return
    there = {str(one.outputs["name"]).rstrip(".").lower() for one in records.of("aws:route53/record:Record")}
    for option in certificate.outputs["domainValidationOptions"]:
        if option["resourceRecordName"].rstrip(".").lower() not in there:
            reason = f"timeout while waiting for state to become 'ISSUED': no record {option['resourceRecordName']}"
            yield Problem("certificateArn", reason)
    wanted = {option["resourceRecordName"].rstrip(".") for option in certificate.outputs["domainValidationOptions"]}
    given = {name.rstrip(".") for name in inputs.get("validationRecordFqdns", ())}
    if given and wanted - given:
        yield Problem(
            "validationRecordFqdns",
            f"missing {certificate.outputs['domainName']} DNS validation record: {wanted - given}",
        )


def _record_is_in_its_zone(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """route53 API errors NoSuchHostedZone and InvalidChangeBatch: RRSet with DNS name … is not permitted in zone …"""
    zones = {id: name for name, id in world.zones.items()}
    if inputs["zoneId"] not in zones:
        yield Problem("zoneId", f"NoSuchHostedZone: No hosted zone found with ID: {inputs['zoneId']}")
        return
    zone, name = zones[inputs["zoneId"]], inputs["name"].rstrip(".").lower()
    if name != zone and not name.endswith(f".{zone}"):
        yield Problem("name", f"InvalidChangeBatch: RRSet with DNS name {name}. is not permitted in zone {zone}.")
    if name == zone and inputs["type"] == "CNAME":
        yield Problem("type", f"InvalidChangeBatch: RRSet of type CNAME with DNS name {name}. is not permitted at apex")


def _alias_leads_somewhere(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """route53 API error InvalidChangeBatch: Tried to create an alias that targets …: each target has its own zone."""
    names = {("regionalDomainName", "regionalZoneId"), ("dnsName", "zoneId")}
    zones = {
        one.outputs[name]: one.outputs.get(zone) for one in records.all for name, zone in names if one.outputs.get(name)
    }
    for index, alias in enumerate(inputs.get("aliases", ())):
        target, zone = alias["name"], alias["zoneId"]
        reason = (
            f"InvalidChangeBatch: Tried to create an alias that targets {target}., type {inputs['type']} in zone {zone}"
        )
        if zones.get(target, zone) != zone:
            yield Problem(f"aliases[{index}].zoneId", f"{reason}, but the alias target name does not lie within it")
        if target in zones and inputs["type"] not in ("A", "AAAA", "HTTPS"):
            yield Problem("type", f"{reason}, but that target was not found")
        if target.rstrip(".") == inputs["name"].rstrip("."):
            yield Problem(f"aliases[{index}].name", f"{reason}, which is the record itself")


def _role_may(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions, and who may assume the role."""
    role = records.find("aws:iam/role:Role", "arn", inputs["role"])
    if role is None:
        return
    if "lambda.amazonaws.com" not in role.outputs["assumeRolePolicy"]:
        yield Problem(
            "role", "InvalidParameterValueException: The role defined for the function cannot be assumed by Lambda."
        )
    if inputs.get("vpcConfig") and not _allowed(records, role, "ec2:CreateNetworkInterface"):
        reason = "The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
        yield Problem("role", f"InvalidParameterValueException: {reason}")


def _leaves_some_unreserved(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """lambda/latest/dg/configuration-concurrency.html: 100 of the account's stay for functions that reserve none."""
    others = [one.outputs.get("reservedConcurrentExecutions") or 0 for one in records.of(_FUNCTION, region)]
    mine = inputs.get("reservedConcurrentExecutions") or 0
    if mine > 0 and _CONCURRENT - mine - sum(max(0, one) for one in others) < _UNRESERVED:
        reason = "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution"
        reason += f" below its minimum value of [{_UNRESERVED}]."
        yield Problem("reservedConcurrentExecutions", f"InvalidParameterValueException: {reason}")


def _allowed(records: Records, role: Record, action: str) -> bool:
    managed = [
        str(one.outputs["policyArn"])
        for one in records.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
        if one.outputs["role"] == role.id
    ]
    managed += role.outputs.get("managedPolicyArns", [])
    if any(arn.endswith(("AWSLambdaVPCAccessExecutionRole", "AdministratorAccess")) for arn in managed):
        return True
    policies = [
        one.outputs["policy"] for one in records.of("aws:iam/rolePolicy:RolePolicy") if one.outputs["role"] == role.id
    ]
    policies += [one["policy"] for one in role.outputs.get("inlinePolicies", ()) if "policy" in one]
    for policy in policies:
        for statement in _flat(json.loads(policy)["Statement"]):
            listed = _flat(statement.get("Action", []))
            if statement["Effect"] == "Allow" and any(fnmatch.fnmatch(action.lower(), one.lower()) for one in listed):
                return True
    return False


def _flat(value: Any) -> list[Any]:
    return value if is_list(value) else [value]


QUESTIONS: Questions = {
    "aws:acm/certificateValidation:CertificateValidation": (_validation_records_exist,),
    "aws:dynamodb/tableItem:TableItem": (_item_is_new,),
    _FUNCTION: (_role_may, _leaves_some_unreserved),
    "aws:route53/record:Record": (_record_is_in_its_zone, _alias_leads_somewhere),
}
