"""What the control plane says of a load balancer: its attributes, listener, rules, target groups and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PORT = 80
"""The listener that is served: the gateway calls its load balancer by plain HTTP."""


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How a target group asks its targets whether they can serve."""

    path: str
    port: int | None
    """`None`: the port of the target."""
    matcher: str
    """Status codes: `200`, `200,204` or `200-499`."""
    interval: float
    """Seconds between two checks."""
    timeout: float
    """Seconds."""
    healthy_threshold: int
    """Good checks in a row after which an unhealthy target is healthy."""
    unhealthy_threshold: int


@dataclass(frozen=True, kw_only=True)
class RegisteredTarget:
    """A target as the target group lists it."""

    id: str
    """Of the instance, or an IP address."""
    port: int
    draining: bool


@dataclass(frozen=True, kw_only=True)
class TargetGroup:
    """A target group and its targets."""

    arn: str
    algorithm: str
    """`round_robin`, `least_outstanding_requests` or `weighted_random`."""
    deregistration_delay: float
    """Seconds."""
    check: HealthCheck
    targets: tuple[RegisteredTarget, ...]


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a rule asks of a request: that one of the values fits."""

    field: str
    values: tuple[str, ...]
    """Patterns with `*` and `?`."""
    header: str = ""
    """The name of the header, if the field is `http-header`."""


@dataclass(frozen=True, kw_only=True)
class FixedResponse:
    """An answer of the load balancer itself."""

    status: int
    content_type: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Forward:
    """Target groups by their weights."""

    groups: tuple[tuple[str, int], ...]
    """ARN and weight."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Conditions that must all hold, and what follows."""

    conditions: tuple[Condition, ...]
    action: FixedResponse | Forward


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """One load balancer, with its listener on port 80."""

    arn: str
    region: str
    address: str
    """`127.0.0.1:<port>`, which is also its DNS name."""
    idle_timeout: float
    """Seconds without a byte after which a connection ends."""
    drop_invalid_headers: bool
    rules: tuple[Rule, ...]
    """In the order in which they are tried. The last one is the default. None: there is no listener."""
    groups: Mapping[str, TargetGroup]
    """Those that a rule forwards to, by ARN."""

    @property
    def suffix(self) -> str:
        """How CloudWatch names it: `app/<name>/<id>`."""
        return self.arn.split(":loadbalancer/", 1)[1]


def read(elbv2: Any, arn: str, address: str) -> LoadBalancer:
    """Return what the control plane says of a load balancer. `elbv2`: a client of boto3 for its region.

    Raises:
        UnplayedRule: a rule asks for what this load balancer does not do.
    """
    attributes = _attributes(elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn))
    listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
    rules = next((_rules(elbv2, one["ListenerArn"]) for one in listeners if one["Port"] == PORT), ())
    used = {group for rule in rules if isinstance(rule.action, Forward) for group, _ in rule.action.groups}
    return LoadBalancer(
        arn=arn,
        region=arn.split(":")[3],
        address=address,
        idle_timeout=float(attributes.get("idle_timeout.timeout_seconds", 60)),
        drop_invalid_headers=attributes.get("routing.http.drop_invalid_header_fields.enabled") == "true",
        rules=rules,
        groups={group: _group(elbv2, group) for group in sorted(used)},
    )


class UnplayedRule(Exception):
    """A rule asks for what this load balancer does not do."""


def _attributes(answer: Mapping[str, Any]) -> Mapping[str, str]:
    return {one["Key"]: str(one["Value"]) for one in answer["Attributes"]}


def _rules(elbv2: Any, listener: str) -> tuple[Rule, ...]:
    pages = elbv2.get_paginator("describe_rules").paginate(ListenerArn=listener)
    described: Sequence[Any] = [one for page in pages for one in page["Rules"]]
    described = sorted(described, key=lambda rule: 0 if rule["IsDefault"] else int(rule["Priority"]))
    rules = [_rule(one) for one in described]
    # The default is first in this order, and is tried last.
    return tuple([*rules[1:], rules[0]] if described and described[0]["IsDefault"] else rules)


def _rule(described: Mapping[str, Any]) -> Rule:
    conditions = tuple(_condition(one) for one in described["Conditions"])
    return Rule(conditions=conditions, action=_action(described["Actions"]))


_CONFIGURED = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
}


def _condition(described: Mapping[str, Any]) -> Condition:
    field: str = described["Field"]
    if field not in _CONFIGURED:
        raise UnplayedRule(f"a rule has a condition on {field}; this cloud plays {', '.join(_CONFIGURED)}")
    configured: Mapping[str, Any] = described.get(_CONFIGURED[field]) or {}
    values: Sequence[str] = configured.get("Values") or described.get("Values") or ()
    return Condition(field=field, values=tuple(values), header=configured.get("HttpHeaderName", ""))


def _action(actions: Sequence[Mapping[str, Any]]) -> FixedResponse | Forward:
    action = actions[-1]
    if action["Type"] == "fixed-response":
        fixed = action["FixedResponseConfig"]
        return FixedResponse(
            status=int(fixed["StatusCode"]),
            content_type=fixed.get("ContentType") or "text/plain",
            body=fixed.get("MessageBody") or "",
        )
    if action["Type"] != "forward":
        raise UnplayedRule(f"a rule has the action {action['Type']}; this cloud plays forward and fixed-response")
    configured: Mapping[str, Any] = action.get("ForwardConfig") or {}
    groups: Sequence[Any] = configured.get("TargetGroups") or [action]
    return Forward(groups=tuple((one["TargetGroupArn"], int(one.get("Weight", 1))) for one in groups))


def _group(elbv2: Any, arn: str) -> TargetGroup:
    described = elbv2.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"][0]
    attributes = _attributes(elbv2.describe_target_group_attributes(TargetGroupArn=arn))
    port = described.get("HealthCheckPort", "traffic-port")
    return TargetGroup(
        arn=arn,
        algorithm=attributes.get("load_balancing.algorithm.type", "round_robin"),
        deregistration_delay=float(attributes.get("deregistration_delay.timeout_seconds", 300)),
        check=HealthCheck(
            path=described.get("HealthCheckPath") or "/",
            port=None if port == "traffic-port" else int(port),
            matcher=described.get("Matcher", {}).get("HttpCode", "200"),
            interval=float(described["HealthCheckIntervalSeconds"]),
            timeout=float(described["HealthCheckTimeoutSeconds"]),
            healthy_threshold=int(described["HealthyThresholdCount"]),
            unhealthy_threshold=int(described["UnhealthyThresholdCount"]),
        ),
        targets=tuple(
            RegisteredTarget(id=id, port=port, draining=draining)
            for (id, port), draining in _targets(elbv2, arn).items()
        ),
    )


def _targets(elbv2: Any, arn: str) -> Mapping[tuple[str, int], bool]:
    """Whether each target, by its id and port, is draining."""
    found: dict[tuple[str, int], bool] = {}
    for one in elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]:
        state = one["TargetHealth"]["State"]
        if one["TargetHealth"].get("Reason") != "Target.NotRegistered":
            found[(one["Target"]["Id"], int(one["Target"]["Port"]))] = state == "draining"
    return found
