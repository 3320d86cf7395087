"""Load balancers, target groups, listeners and their rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from commands.property_values import UNKNOWN
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


def _matcher_is_in_order(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """elbv2 API: Matcher, HttpCode: a range of values goes upwards."""
    for part in str(value_at(inputs, "healthCheck.matcher") or "").split(","):
        least, _, most = part.partition("-")
        if most and least > most:
            yield Problem("healthCheck.matcher", f"ValidationError: Invalid health check matcher range {part!r}")


def _application_cookies_have_a_name(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf elbv2/target_group.go: sticky by the application's cookie needs that cookie's name, and only then."""
    named = given(inputs, "stickiness.cookieName")
    if given(inputs, "stickiness") and named != (value_at(inputs, "stickiness.type") == "app_cookie"):
        yield Problem("stickiness.cookieName", "is required with the type app_cookie, and only there")


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
    if subnets is None or inputs.get("loadBalancerType", "application") != "application":
        return
    if len([one for index, one in enumerate(subnets) if one == UNKNOWN or one not in subnets[:index]]) < 2:
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
    if value_at(inputs, "conditions") == []:
        yield Problem("conditions", "ValidationError: A condition must be specified")
    for where, condition in values_at(inputs, "conditions[]"):
        if len(condition) != 1:
            yield Problem(where, f"exactly one kind of condition must be given, got {sorted(condition)}")
        for kind in condition:
            if value_at(condition, f"{kind}.values") == []:
                yield Problem(f"{where}.{kind}.values", "Attribute requires 1 item minimum, but config has only 0")
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
        _matcher_is_in_order,
        _application_cookies_have_a_name,
        _slow_start_needs_round_robin,
        _anomalies_need_weighted_random,
        _targets_have_an_address,
    ),
}
