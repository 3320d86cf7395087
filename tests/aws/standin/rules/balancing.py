"""Load balancers, target groups, listeners and their rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import given, value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_TARGET_OF_ACTION = {
    "forward": ("targetGroupArn", "forward"),
    "fixed-response": ("fixedResponse",),
    "redirect": ("redirect",),
    "authenticate-oidc": ("authenticateOidc",),
    "authenticate-cognito": ("authenticateCognito",),
}


def _check_is_quicker_than_its_interval(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elbv2 API error: Health check timeout '…' must be smaller than the interval '…'. Defaults: 5 s, 30 s."""
    if not given(inputs, "healthCheck"):
        return
    timeout, interval = value_at(inputs, "healthCheck.timeout") or 5, value_at(inputs, "healthCheck.interval") or 30
    if timeout >= interval:
        reason = f"Health check timeout '{timeout}' must be smaller than the interval '{interval}'"
        yield Problem("healthCheck.timeout", reason)


def _slow_start_needs_round_robin(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elasticloadbalancing/latest/application/load-balancer-target-groups.html: not both; nor with weighted random."""
    algorithm = value_at(inputs, "loadBalancingAlgorithmType")
    if value_at(inputs, "slowStart") and algorithm in ("least_outstanding_requests", "weighted_random"):
        yield Problem("slowStart", f"You cannot enable both slow start mode and {algorithm}")


def _anomalies_need_weighted_random(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """load-balancer-target-groups.html#automatic-target-weights."""
    on = value_at(inputs, "loadBalancingAnomalyMitigation") == "on"
    if on and value_at(inputs, "loadBalancingAlgorithmType") != "weighted_random":
        yield Problem("loadBalancingAnomalyMitigation", "is only supported by the weighted_random algorithm")


def _targets_have_an_address(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf elbv2/target_group.go customizeDiffTargetGroupTargetTypeNotLambda: port, protocol and VPC are required."""
    kind = inputs.get("targetType", "instance")
    for name in ("port", "protocol", "vpcId"):
        if kind in ("instance", "ip") and not given(inputs, name):
            yield Problem(name, f'Attribute "{name}" must be specified when "targetType" is "{kind}"')
    if value_at(inputs, "protocol") in ("TCP", "TLS", "UDP", "TCP_UDP", "GENEVE", "QUIC", "TCP_QUIC"):
        reason = "targets of an Application Load Balancer speak HTTP or HTTPS"
        yield Problem(
            "protocol", f"{reason} (elasticloadbalancing/latest/application/load-balancer-target-groups.html)"
        )


def _spans_two_zones(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elbv2 API: CreateLoadBalancer, Subnets: you must specify subnets from at least two Availability Zones."""
    subnets = value_at(inputs, "subnets")
    if subnets is not None and inputs.get("loadBalancerType", "application") == "application" and len(subnets) < 2:
        yield Problem("subnets", "At least two subnets in two different Availability Zones must be specified")


def _actions_say_what_they_do(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf elbv2/listener.go validateListenerActions; elbv2 API: one forward, redirect or fixed-response, the last."""
    for name in ("actions", "defaultActions"):
        actions = value_at(inputs, name)
        if actions is None:
            continue
        for index, action in enumerate(actions):
            wanted = _TARGET_OF_ACTION.get(value_at(action, "type"), ())
            if wanted and not any(given(action, one) for one in wanted):
                where = f"{name}[{index}].{wanted[0]}"
                yield Problem(where, f'Attribute "{where}" must be specified when type is "{action["type"]}"')
        ends = [index for index, action in enumerate(actions) if str(action.get("type")).startswith(("fo", "re", "fi"))]
        if ends != [len(actions) - 1]:
            yield Problem(name, "a rule has exactly one forward, redirect or fixed-response action, and it is the last")


def _secure_listeners_have_a_certificate(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elbv2 API error CertificateNotFound: A certificate must be specified for HTTPS listeners."""
    secure = value_at(inputs, "protocol") == "HTTPS"
    if secure and not given(inputs, "certificateArn"):
        yield Problem("certificateArn", "A certificate must be specified for HTTPS listeners")
    if not secure and (given(inputs, "certificateArn") or given(inputs, "sslPolicy")):
        yield Problem("certificateArn", "A certificate cannot be specified for HTTP listeners")


def _conditions_are_few(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elasticloadbalancing/latest/application/load-balancer-limits.html: 5 condition values a rule; one kind each."""
    for where, condition in values_at(inputs, "conditions[]"):
        if len(condition) != 1:
            yield Problem(where, f"exactly one kind of condition must be given, got {sorted(condition)}")
    values = [item for _, condition in values_at(inputs, "conditions[]") for item in _values_of(condition)]
    if len(values) > 5:
        yield Problem("conditions", f"TooManyConditions: a rule has at most 5 condition values, got {len(values)}")


def _values_of(condition: Mapping[str, Any]) -> list[Any]:
    return [value for kind in condition for _, value in values_at(condition, f"{kind}.values[]")]


RULES: Rules = {
    "aws:lb/loadBalancer:LoadBalancer": (_spans_two_zones,),
    "aws:lb/listener:Listener": (_actions_say_what_they_do, _secure_listeners_have_a_certificate),
    "aws:lb/listenerRule:ListenerRule": (_actions_say_what_they_do, _conditions_are_few),
    "aws:lb/targetGroup:TargetGroup": (
        _check_is_quicker_than_its_interval,
        _slow_start_needs_round_robin,
        _anomalies_need_weighted_random,
        _targets_have_an_address,
    ),
}
