"""Load balancers, their rules and subnets, and what scales behind them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.between import GROUP, SUBNET, TEMPLATE
from tests.aws.standin.paths import value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Record, Records
from tests.aws.standin.together import Questions
from tests.aws.standin.world import World

LISTENER = "aws:lb/listener:Listener"
RULE = "aws:lb/listenerRule:ListenerRule"
_IN_A_BALANCER = 100
"""elasticloadbalancing/latest/application/load-balancer-limits.html: rules, and target groups, of a load balancer."""


def _zones_differ(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """elbv2 API: CreateLoadBalancer, Subnets."""
    subnets = [one for one in records.of(SUBNET, region) if one.id in inputs.get("subnets", ())]
    zones = [one.outputs.get("availabilityZone") for one in subnets]
    if len(zones) > 1 and len(set(zones)) < len(zones):
        reason = "A load balancer cannot be attached to multiple subnets in the same Availability Zone"
        yield Problem("subnets", f"InvalidConfigurationRequest: {reason}")
    if len({one.outputs["vpcId"] for one in subnets}) > 1:
        yield Problem("subnets", "InvalidConfigurationRequest: The subnets must be of the same VPC")


def _balancer_takes_one_more(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """load-balancer-limits.html: 100 rules and 100 target groups a load balancer, one load balancer a target group."""
    listener = records.find(LISTENER, "arn", inputs["listenerArn"], region)
    balancer = listener.outputs["loadBalancerArn"] if listener else None
    rules = [one for one in records.of(RULE, region) if _balancer(records, one) == balancer]
    if len(rules) >= _IN_A_BALANCER:
        yield Problem("", "TooManyRules: You have reached the maximum number of rules")
    mine = set(target_groups(inputs))
    if len({group for rule in rules for group in target_groups(rule.outputs)} | mine) > _IN_A_BALANCER:
        yield Problem("", "TooManyTargetGroups: You have reached the maximum number of target groups")
    for other in records.of(RULE, region):
        if mine & set(target_groups(other.outputs)) and _balancer(records, other) != balancer:
            reason = "The following target groups cannot be associated with more than one load balancer"
            yield Problem("actions", f"TargetGroupAssociationLimit: {reason}: {sorted(mine)}")
    if inputs.get("priority") is None and any(one.outputs.get("priority") == 50_000 for one in rules):
        yield Problem("priority", "ValidationError: no priority is left after 50000")


def target_groups(rule: Mapping[str, Any]) -> list[str]:
    paths = ("actions[].targetGroupArn", "actions[].forward.targetGroups[].arn", "defaultActions[].targetGroupArn")
    return [value for path in paths for _, value in values_at(rule, path)]


def _balancer(records: Records, rule: Record) -> str | None:
    listener = records.find(LISTENER, "arn", rule.outputs["listenerArn"], rule.region)
    return listener.outputs["loadBalancerArn"] if listener else None


def _label_is_attached(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """autoscaling API: PredefinedMetricSpecification, ResourceLabel: the group's own target group, behind it."""
    where = "targetTrackingConfiguration.predefinedMetricSpecification.resourceLabel"
    label = value_at(inputs, where)
    group = records.find(GROUP, "name", inputs["autoscalingGroupName"], region)
    if label is None or group is None:
        return
    balancer, _, target = label.partition("/targetgroup/")
    arns = [arn for arn in group.outputs.get("targetGroupArns", ()) if arn.endswith(f":targetgroup/{target}")]
    if not arns:
        yield Problem(where, f"ValidationError: the target group of {label!r} is not attached to the group")
    rules = [
        one
        for kind in (RULE, LISTENER)
        for one in records.of(kind, region)
        if set(arns) & set(target_groups(one.outputs))
    ]
    if arns and not any(f":loadbalancer/{balancer}" in str(_balancer_of(records, one)) for one in rules):
        yield Problem(
            where, f"ValidationError: the target group of {label!r} is behind no listener of that load balancer"
        )


def _balancer_of(records: Records, one: Record) -> str | None:
    return one.outputs.get("loadBalancerArn") or _balancer(records, one)


def _template_has_the_version(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    path = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification"
    template = records.by_id(TEMPLATE, str(value_at(inputs, f"{path}.launchTemplateId")))
    version = value_at(inputs, f"{path}.version")
    if template and isinstance(version, str) and version.isdigit() and int(version) > template.outputs["latestVersion"]:
        yield Problem(f"{path}.version", f"InvalidLaunchTemplateId.VersionNotFound: there is no version {version}")


def _template_leaves_buying_to_the_group(
    records: Records, world: World, inputs: Mapping[str, Any], region: str
) -> Iterator[Problem]:
    """autoscaling/ec2/userguide/ec2-auto-scaling-mixed-instances-groups.html: the policy says what is spot."""
    path = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.launchTemplateId"
    template = records.by_id(TEMPLATE, str(value_at(inputs, path)))
    if template is not None and template.outputs.get("instanceMarketOptions"):
        reason = "Incompatible launch template: InstanceMarketOptions cannot be used with a MixedInstancesPolicy"
        yield Problem(path, f"ValidationError: {reason}")


def _subnet_fits(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """vpc/latest/userguide/subnet-sizing.html: within the VPC's range, and apart from other subnets."""
    vpc = records.find("aws:ec2/vpc:Vpc", "id", inputs["vpcId"], region)
    if vpc is None or "cidrBlock" not in inputs or "cidrBlock" not in vpc.outputs:
        return
    mine = ipaddress.IPv4Network(inputs["cidrBlock"])
    if not mine.subnet_of(ipaddress.IPv4Network(vpc.outputs["cidrBlock"])):
        yield Problem("cidrBlock", f"InvalidSubnet.Range: The CIDR '{mine}' is invalid.")
    for other in records.of(SUBNET, region):
        if other.outputs["vpcId"] == vpc.id and mine.overlaps(ipaddress.IPv4Network(other.outputs["cidrBlock"])):
            yield Problem("cidrBlock", f"InvalidSubnet.Conflict: The CIDR '{mine}' conflicts with another subnet")


QUESTIONS: Questions = {
    GROUP: (_template_has_the_version, _template_leaves_buying_to_the_group),
    "aws:autoscaling/policy:Policy": (_label_is_attached,),
    SUBNET: (_subnet_fits,),
    "aws:lb/loadBalancer:LoadBalancer": (_zones_differ,),
    RULE: (_balancer_takes_one_more,),
}
