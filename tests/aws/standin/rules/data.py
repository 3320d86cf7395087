"""DynamoDB tables and items, SSM parameters, DNS records, certificates."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import given, is_object, value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_ATTRIBUTE_TYPES = frozenset(["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"])
_KEY_BYTES = {"hashKey": 2048, "rangeKey": 1024}
"""amazondynamodb/latest/developerguide/Constraints.html."""
_HOST = re.compile(r"[!-~]{1,255}")
_ADDRESS = {"A": r"(\d{1,3}\.){3}\d{1,3}", "AAAA": r"[0-9a-fA-F:]+"}


def _attributes_are_keys(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf dynamodb/table.go: all attributes must be indexed, and every key must be an attribute."""
    attributes = {name for _, name in values_at(inputs, "attributes[].name")}
    keys = {value_at(inputs, name) for name in ("hashKey", "rangeKey")} - {None}
    for kind in ("globalSecondaryIndexes", "localSecondaryIndexes"):
        for name in ("hashKey", "rangeKey"):
            keys |= {value for _, value in values_at(inputs, f"{kind}[].{name}")}
        keys |= {value for _, value in values_at(inputs, f"{kind}[].keySchemas[].attributeName")}
    if not given(inputs, "hashKey"):
        yield Problem("hashKey", "ValidationException: a table needs a hash key")
    if unused := sorted(attributes - keys):
        yield Problem("attributes", f"all attributes must be indexed. Unused attributes: {unused}")
    if missing := sorted(keys - attributes):
        yield Problem("attributes", f"all indexes must match a defined attribute. Unmatched indexes: {missing}")
    if value_at(inputs, "billingMode") == "PAY_PER_REQUEST":
        for name in ("readCapacity", "writeCapacity"):
            if given(inputs, name):
                yield Problem(name, f"{name} can not be set when billing_mode is PAY_PER_REQUEST")
    elif not (given(inputs, "readCapacity") and given(inputs, "writeCapacity")) and "billingMode" not in inputs:
        yield Problem("billingMode", "PROVISIONED needs readCapacity and writeCapacity of at least 1")
    if value_at(inputs, "ttl.enabled") is True and not value_at(inputs, "ttl.attributeName"):
        yield Problem("ttl.attributeName", "is required when TTL is enabled")


def _item_is_typed(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf dynamodb/table_item.go ExpandTableItemAttributes: DynamoDB's typed JSON, with its keys."""
    if (text := value_at(inputs, "item")) is None:
        return
    try:
        item = json.loads(text)
    except (TypeError, ValueError) as error:
        yield Problem("item", f'Invalid format of "item": Decoding failed: {error}')
        return
    if not is_object(item):
        yield Problem("item", 'Invalid format of "item": an object is wanted')
        return
    if problems := list(_typed("item", item)):
        yield from problems
        return
    for name in ("hashKey", "rangeKey"):
        key = value_at(inputs, name)
        if key is None:
            continue
        if key not in item:
            yield Problem("item", f"ValidationException: One of the required keys was not given a value: {key}")
        elif not (content := next(iter(item[key].values()), None)):
            yield Problem("item", f"ValidationException: key attribute {key} is empty")
        elif len(str(content).encode()) > _KEY_BYTES[name]:
            yield Problem("item", f"ValidationException: key attribute {key} has more than {_KEY_BYTES[name]} bytes")


def _typed(where: str, item: Mapping[str, Any]) -> Iterator[Problem]:
    for name, value in item.items():
        at = f"{where}.{name}"
        if not is_object(value) or len(value) != 1 or not value.keys() <= _ATTRIBUTE_TYPES:
            yield Problem(
                at, 'ValidationException: Supplied AttributeValue must contain exactly one type, as {"S": "…"}'
            )
            continue
        ((kind, content),) = value.items()
        if kind in ("S", "N", "B") and not isinstance(content, str):
            yield Problem(at, f"{kind} takes a string, got {content!r}")
        elif kind == "N" and not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", content):
            yield Problem(at, f"ValidationException: {content!r} can't be converted to a numeric value")
        elif kind == "M" and is_object(content):
            yield from _typed(at, content)
        elif kind in ("SS", "NS", "BS") and not content:
            yield Problem(at, "ValidationException: An set may not be empty")


def _value_fits_its_tier(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """systems-manager/latest/userguide/parameter-store-advanced-parameters.html: 4 KB standard, 8 KB advanced."""
    value = value_at(inputs, "value")
    tier = inputs.get("tier", "Standard")
    if isinstance(value, str) and tier == "Standard" and (size := len(value.encode())) > 4096:
        reason = "Standard tier parameters support a maximum parameter value of 4096 characters"
        yield Problem("value", f"ValidationException: {reason}, got {size}")
    name = value_at(inputs, "name")
    if isinstance(name, str):
        if "/" in name and not name.startswith("/"):
            yield Problem(
                "name", "ValidationException: Parameter name must be a fully qualified name, with a leading /"
            )
        if name.count("/") > 15 or "//" in name or name.endswith("/"):
            yield Problem("name", "ValidationException: at most 15 levels, each with a name")
    if value_at(inputs, "type") == "SecureString" and given(inputs, "insecureValue"):
        yield Problem("insecureValue", "is not valid with type SecureString")


def _record_fits_its_type(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """route53 API error InvalidChangeBatch: the value is not a valid IPv4 address, and the like."""
    kind = value_at(inputs, "type")
    if kind in _ADDRESS:
        for where, value in values_at(inputs, "records[]"):
            if not re.fullmatch(_ADDRESS[kind], value):
                yield Problem(
                    where, f"InvalidChangeBatch: Invalid Resource Record: Value {value!r} is no {kind} address"
                )
    if kind == "CNAME":
        for where, value in values_at(inputs, "records[]"):
            if not _HOST.fullmatch(value):
                yield Problem(where, f"InvalidChangeBatch: DomainLabelTooLong or not a domain name: {value!r}")
    if kind in ("NS", "SOA") and given(inputs, "aliases"):
        yield Problem("aliases", f"InvalidChangeBatch: an alias of type {kind} is not possible")
    policies = [name for name in inputs if name.endswith("RoutingPolicy") or name == "multivalueAnswerRoutingPolicy"]
    if policies and not given(inputs, "setIdentifier"):
        yield Problem("setIdentifier", f"all of `{policies[0]},set_identifier` must be specified")


def _wildcard_is_first(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """acm/latest/userguide/acm-certificate-characteristics.html: one asterisk, leftmost; 64 characters the first."""
    names = [("domainName", value_at(inputs, "domainName")), *values_at(inputs, "subjectAlternativeNames[]")]
    for where, name in names:
        if isinstance(name, str) and ("*" in name.removeprefix("*.") or (where == "domainName" and len(name) > 64)):
            yield Problem(where, f"InvalidDomainValidationOptionsException: {name!r} is not a valid domain name")
    if given(inputs, "domainName") and not (
        given(inputs, "validationMethod") or given(inputs, "certificateAuthorityArn")
    ):
        reason = "`certificate_authority_arn` or `validation_method` must be set when creating an ACM certificate"
        yield Problem("validationMethod", reason)
    if not given(inputs, "domainName") and not given(inputs, "privateKey"):
        yield Problem("domainName", "one of `domain_name,private_key` must be specified")


RULES: Rules = {
    "aws:dynamodb/table:Table": (_attributes_are_keys,),
    "aws:dynamodb/tableItem:TableItem": (_item_is_typed,),
    "aws:ssm/parameter:Parameter": (_value_fits_its_tier,),
    "aws:route53/record:Record": (_record_fits_its_type,),
    "aws:acm/certificate:Certificate": (_wildcard_is_first,),
}
