"""Policies: their grammar, their size, what a role's trust, a role's policy and a bucket's must and must not have.

IAM/latest/UserGuide/reference_policies_grammar.html and reference_iam-quotas.html; of buckets
AmazonS3/latest/userguide/bucket-policies.html.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, cast

import botocore.session

from tests.aws.standin.paths import is_list, is_object, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_ACTION = re.compile(r"\*|(?P<service>[a-z0-9-]+):[A-Za-z0-9*?]+")
_ARN = re.compile(r"\*|arn:(\*|aws[a-z-]*):[a-z0-9*?-]*:[a-z0-9*?-]*:(\d{12}|\*|aws|):.+", re.DOTALL)
_OPERATOR = re.compile(
    r"((ForAllValues|ForAnyValue):)?("
    r"String(Not)?(Equals(IgnoreCase)?|Like)|(Numeric|Date)((Not)?Equals|(Less|Greater)Than(Equals)?)|Bool|BinaryEquals"
    r"|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?|Null"
)
"""IAM/latest/UserGuide/reference_policies_elements_condition_operators.html."""
_SID = re.compile(r"[A-Za-z0-9]*")
_PARTS = frozenset(
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"]
)
_INLINE, _TRUST, _BUCKET = 10_240, 2_048, 20_480
"""Characters but white space: a role's inline policies together, a trust policy by the default quota, a bucket's."""
_Kind = Literal["inline", "trust", "bucket"]


def _inline(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _policy("policy", value_at(inputs, "policy"), _INLINE, "inline")


def _bucket(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _policy("policy", value_at(inputs, "policy"), _BUCKET, "bucket")


def _role(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _policy("assumeRolePolicy", value_at(inputs, "assumeRolePolicy"), _TRUST, "trust")
    for index, policy in enumerate(value_at(inputs, "inlinePolicies") or ()):
        yield from _policy(f"inlinePolicies[{index}].policy", value_at(policy, "policy"), _INLINE, "inline")


def _policy(where: str, text: Any, most: int, kind: _Kind) -> Iterator[Problem]:
    if text is None:
        return
    try:
        policy = json.loads(text)
    except (TypeError, ValueError) as error:
        yield Problem(where, f'"{where}" contains an invalid JSON policy: {error}')
        return
    if not is_object(policy) or policy.keys() - {"Version", "Id", "Statement"} or "Statement" not in policy:
        yield Problem(where, "MalformedPolicyDocument: Syntax errors in policy: Version and Statement are wanted")
        return
    if (size := len(re.sub(r"\s", "", text))) > most:
        yield Problem(where, f"LimitExceeded: {size} characters, the maximum is {most}")
    if policy.get("Version") != "2012-10-17":
        reason = "policy variables and some conditions have no effect without Version 2012-10-17"
        yield Problem(where, f"MalformedPolicyDocument: {reason}")
    statements = policy["Statement"]
    for index, statement in enumerate(_flat(statements)):
        for reason in _statement(statement, kind):
            yield Problem(f"{where} Statement[{index}]", f"MalformedPolicyDocument: {reason}")


def _statement(statement: Any, kind: _Kind) -> Iterator[str]:
    if not is_object(statement) or statement.keys() - _PARTS:
        yield f"Syntax errors in policy: unknown elements {sorted(set(statement) - _PARTS)}"
        return
    if statement.get("Effect") not in ("Allow", "Deny"):
        yield f"Effect is Allow or Deny, got {statement.get('Effect')!r}"
    if not _SID.fullmatch(statement.get("Sid", "")):
        yield f"Statement IDs (SID) must be alpha-numeric, got {statement['Sid']!r}"
    yield from _who_and_what(statement, kind)
    for action in _listed(statement, "Action", "NotAction"):
        yield from _action(action)
    for resource in _listed(statement, "Resource", "NotResource"):
        if not isinstance(resource, str) or not _ARN.fullmatch(resource):
            yield f'Resource {resource!r} must be in ARN format or "*".'
    for operator, keys in statement.get("Condition", {}).items():
        if not _OPERATOR.fullmatch(operator):
            yield f"Invalid Condition type : {operator}."
        for key in keys:
            if not re.fullmatch(r"[a-z0-9-]+:[A-Za-z0-9-]+(/.+)?", key):
                yield f"Condition key {key!r} has no prefix"


def _who_and_what(statement: Mapping[str, Any], kind: _Kind) -> Iterator[str]:
    trust, named = kind == "trust", kind != "inline"
    if ("Action" in statement) == ("NotAction" in statement):
        yield "Policy statement must contain actions."
    if named and not {"Principal", "NotPrincipal"} & statement.keys():
        yield "AssumeRole policy must contain principals" if trust else "Missing required field Principal"
    if trust and "Resource" in statement:
        yield "Has prohibited field Resource"
    if not named and ("Principal" in statement or "NotPrincipal" in statement):
        yield "Policy document should not specify a principal."
    if not trust and ("Resource" in statement) == ("NotResource" in statement):
        yield "Policy statement must contain resources."
    principal = statement.get("Principal")
    for service in _flat(principal.get("Service", [])) if named and is_object(principal) else ():
        if not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", service):
            yield f"Invalid principal in policy: SERVICE {service!r}"


def _action(action: Any) -> Iterator[str]:
    found = _ACTION.fullmatch(action) if isinstance(action, str) else None
    if found is None:
        yield f"Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {action!r}"
        return
    service = found["service"]
    known = operations().get(service or "")
    name = str(action).partition(":")[2]
    if known is not None and not ({"*", "?"} & set(name)) and name.lower() not in known:
        yield f"{action!r} is no action of {service}; IAM accepts it and grants nothing"


def _listed(statement: Mapping[str, Any], *names: str) -> list[Any]:
    return [item for name in names if name in statement for item in _flat(statement[name])]


def _flat(value: Any) -> list[Any]:
    return value if is_list(value) else [value]


@functools.cache
def operations() -> Mapping[str, frozenset[str]]:
    """By IAM's prefix, the names of actions in lower case: botocore's operations, and actions that are no operation."""
    session = cast(Any, botocore.session).get_session()
    named_alike = ("autoscaling", "cloudwatch", "dynamodb", "ec2", "lambda", "logs", "ssm", "sts")
    services = {"elasticloadbalancing": "elbv2", **{name: name for name in named_alike}}
    named: dict[str, set[str]] = {
        prefix: {name.lower() for name in session.get_service_model(service).operation_names}
        for prefix, service in services.items()
    }
    named["ssm"] |= {"updateinstanceinformation"}
    named["lambda"] -= {"invoke", "invokeasync", "invokewithresponsestream"}
    named["lambda"] |= {"invokeasync", "invokefunction", "invokefunctionurl"}
    return {prefix: frozenset(names) for prefix, names in named.items()}


RULES: Rules = {
    "aws:iam/role:Role": (_role,),
    "aws:iam/rolePolicy:RolePolicy": (_inline,),
    "aws:s3/bucketPolicy:BucketPolicy": (_bucket,),
}
