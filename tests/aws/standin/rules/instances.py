"""Launch templates and Auto Scaling groups."""

from __future__ import annotations

import base64
import binascii
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import given, value_at, values_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.rules import Rules

_USER_DATA = 16_384
"""AWSEC2/latest/UserGuide/instancedata-add-user-data.html: bytes, before it is base64-encoded."""

_IOPS = {"gp3": (3_000, 80_000, 500), "io1": (100, 64_000, 50), "io2": (100, 256_000, 1_000)}
"""ebs/latest/userguide/ebs-volume-types.html: least, most, most per GiB."""

_STEPS = {
    "TargetTrackingScaling": "targetTrackingConfiguration",
    "StepScaling": "stepAdjustments",
    "SimpleScaling": "scalingAdjustment",
    "PredictiveScaling": "predictiveScalingConfiguration",
}


def _user_data_fits(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    if (text := value_at(inputs, "userData")) is None:
        return
    try:
        size = len(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        yield Problem("userData", f"InvalidUserData.Malformed: Invalid BASE64 encoding of user data: {error}")
        return
    if size > _USER_DATA:
        yield Problem("userData", f"InvalidParameterValue: User data is limited to {_USER_DATA} bytes, got {size}")


def _volumes_exist(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """ebs-volume-types.html. Throughput is gp3's; IOPS are those of gp3, io1 (which must have some) and io2; no machine
    starts from st1 or sc1.
    """
    for where, mapping in values_at(inputs, "blockDeviceMappings[]"):
        root = value_at(mapping, "deviceName") in ("/dev/xvda", "/dev/sda1")
        if root and value_at(mapping, "ebs.volumeType") in ("sc1", "st1"):
            yield Problem(f"{where}.ebs.volumeType", "st1 and sc1 volumes cannot be boot volumes")
    for where, volume in values_at(inputs, "blockDeviceMappings[].ebs"):
        kind = volume.get("volumeType", "gp2")
        if given(volume, "throughput") and kind != "gp3":
            yield Problem(f"{where}.throughput", f"The parameter throughput is not supported for {kind} volumes")
        elif (value_at(volume, "throughput") or 0) * 4 > (value_at(volume, "iops") or 3_000):
            yield Problem(f"{where}.throughput", "Throughput (MiBps) to iops ratio is too high; maximum is 0.250000")
        iops, size = value_at(volume, "iops"), value_at(volume, "volumeSize")
        if kind in ("io1", "io2") and not given(volume, "iops"):
            yield Problem(f"{where}.iops", f"MissingParameter: The parameter iops must be specified for {kind} volumes")
        if iops is None:
            continue
        if kind not in _IOPS:
            yield Problem(f"{where}.iops", f"The parameter iops is not supported for {kind} volumes")
            continue
        least, most, ratio = _IOPS[kind]
        if not least <= iops <= most or (size is not None and iops > max(least, size * ratio)):
            yield Problem(f"{where}.iops", f"Volume iops of {iops} is not possible for {size} GiB of {kind}")


def _sizes_are_in_order(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API error ValidationError: Max bound, …, must be greater than or equal to min bound, …"""
    least, most = value_at(inputs, "minSize"), value_at(inputs, "maxSize")
    wanted = value_at(inputs, "desiredCapacity")
    if least is not None and most is not None and least > most:
        yield Problem("maxSize", f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if wanted is not None and least is not None and most is not None and not least <= wanted <= most:
        yield Problem("desiredCapacity", f"Desired capacity:{wanted} must be between {least} and {most}")


def _launches_one_way(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """tf autoscaling/group.go ExactlyOneOf; autoscaling API: subnets or zones."""
    ways = [name for name in ("launchConfiguration", "launchTemplate", "mixedInstancesPolicy") if given(inputs, name)]
    if len(ways) != 1:
        reason = "one of `launch_configuration,launch_template,mixed_instances_policy` must be specified"
        yield Problem(ways[-1] if ways else "mixedInstancesPolicy", f"{reason}, got {ways}")
    if given(inputs, "launchTemplate.id") and given(inputs, "launchTemplate.name"):
        yield Problem("launchTemplate.name", "conflicts with launchTemplate.id")
    if not inputs.get("vpcZoneIdentifiers") and not inputs.get("availabilityZones"):
        yield Problem(
            "vpcZoneIdentifiers", "ValidationError: At least one Availability Zone or VPC Subnet is required."
        )
    types = [item for _, item in values_at(inputs, "mixedInstancesPolicy.launchTemplate.overrides[].instanceType")]
    if double := sorted({one for one in types if types.count(one) > 1}):
        yield Problem(
            "mixedInstancesPolicy.launchTemplate.overrides", f"ValidationError: {double} given more than once"
        )


def _refresh_goes_on(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API: RefreshPreferences, MaxHealthyPercentage: at most 100 above MinHealthyPercentage."""
    least = value_at(inputs, "instanceRefresh.preferences.minHealthyPercentage")
    most = value_at(inputs, "instanceRefresh.preferences.maxHealthyPercentage")
    where = "instanceRefresh.preferences.maxHealthyPercentage"
    if most is not None and most - (90 if least is None else least) > 100:
        yield Problem(
            where, "ValidationError: the difference of MinHealthyPercentage and MaxHealthyPercentage exceeds 100"
        )
    delays = given(inputs, "instanceRefresh.preferences.checkpointDelay")
    if delays and not given(inputs, "instanceRefresh.preferences.checkpointPercentages"):
        yield Problem("instanceRefresh.preferences.checkpointDelay", "is only valid with checkpointPercentages")
    latest = value_at(inputs, "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.version")
    if given(inputs, "instanceRefresh") and latest in ("$Latest", "$Default"):
        where = "mixedInstancesPolicy.launchTemplate.launchTemplateSpecification.version"
        yield Problem(where, f"with {latest!r} a new version never starts the instance refresh (pulumi-aws issue 1577)")


def _distribution_fits(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API: InstancesDistribution and LaunchTemplateOverrides."""
    where = "mixedInstancesPolicy.instancesDistribution"
    strategy = value_at(inputs, f"{where}.spotAllocationStrategy")
    if value_at(inputs, f"{where}.spotInstancePools") and strategy not in (None, "lowest-price"):
        yield Problem(f"{where}.spotInstancePools", "ValidationError: is only available with lowest-price")
    at = "mixedInstancesPolicy.launchTemplate.overrides"
    overrides = [item for _, item in values_at(inputs, f"{at}[]")]
    if len({given(item, "weightedCapacity") for item in overrides}) > 1:
        yield Problem(at, "ValidationError: weights must be given for all instance types or for none")


def _maintenance_is_possible(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API: InstanceMaintenancePolicy: at most 100 between the two; -1 is for both."""
    least = value_at(inputs, "instanceMaintenancePolicy.minHealthyPercentage")
    most = value_at(inputs, "instanceMaintenancePolicy.maxHealthyPercentage")
    if least is not None and most is not None and (most - least > 100 or (least == -1) != (most == -1)):
        yield Problem("instanceMaintenancePolicy", f"ValidationError: {least} and {most} are not possible together")


def _elb_checks_have_targets(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling/ec2/userguide/health-checks-overview.html: without a target group, ELB checks never say anything."""
    attached = any(given(inputs, name) for name in ("targetGroupArns", "trafficSources", "loadBalancers"))
    if value_at(inputs, "healthCheckType") == "ELB" and not attached:
        yield Problem("healthCheckType", "ELB needs a target group of the group")


def _policy_fits_its_type(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API: PutScalingPolicy, by PolicyType."""
    kind = inputs.get("policyType", "SimpleScaling")
    needed = _STEPS.get(kind) if isinstance(kind, str) else None
    if needed is None:
        return
    if not given(inputs, needed):
        yield Problem(needed, f"ValidationError: {needed} is needed with the policy type {kind}")
    for other in set(_STEPS.values()) - {needed}:
        if given(inputs, other):
            yield Problem(other, f"{other} is only supported for policy type {_by_step(other)}, got {kind}")
    if kind in ("SimpleScaling", "StepScaling") and not given(inputs, "adjustmentType"):
        yield Problem("adjustmentType", f"ValidationError: adjustmentType is needed with the policy type {kind}")
    if kind != "SimpleScaling" and given(inputs, "cooldown"):
        yield Problem("cooldown", "Cooldown is only supported for policy type SimpleScaling")
    yield from _metric_is_one(inputs)
    yield from _steps_meet(inputs)


def _by_step(name: str) -> str:
    return next(kind for kind, step in _STEPS.items() if step == name)


def _metric_is_one(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling API: TargetTrackingConfiguration and PredefinedMetricSpecification."""
    at = "targetTrackingConfiguration"
    if not given(inputs, at):
        return
    both = [
        name
        for name in ("predefinedMetricSpecification", "customizedMetricSpecification")
        if given(inputs, f"{at}.{name}")
    ]
    if len(both) != 1:
        yield Problem(
            at, f"exactly one of predefined and customized metric specification must be specified, got {both}"
        )
    kind = value_at(inputs, f"{at}.predefinedMetricSpecification.predefinedMetricType")
    label = given(inputs, f"{at}.predefinedMetricSpecification.resourceLabel")
    if kind is not None and label != (kind == "ALBRequestCountPerTarget"):
        where = f"{at}.predefinedMetricSpecification.resourceLabel"
        yield Problem(
            where, f"ValidationError: ResourceLabel goes with ALBRequestCountPerTarget and no other, got {kind}"
        )
    target = value_at(inputs, f"{at}.targetValue")
    if target is not None and target <= 0:
        yield Problem(f"{at}.targetValue", f"ValidationError: TargetValue must be positive, got {target}")


def _steps_meet(inputs: Mapping[str, Any]) -> Iterator[Problem]:
    """autoscaling/ec2/userguide/as-scaling-simple-step.html: steps neither overlap nor leave a gap; bounds in order."""
    steps: list[Any] = value_at(inputs, "stepAdjustments") or []
    bounds: list[tuple[float | None, float | None]] = []
    for index, step in enumerate(steps):
        low, high = value_at(step, "metricIntervalLowerBound"), value_at(step, "metricIntervalUpperBound")
        bounds.append((_bound(low), _bound(high)))
        if bounds[-1][0] is not None and bounds[-1][1] is not None and bounds[-1][0] >= bounds[-1][1]:
            yield Problem(f"stepAdjustments[{index}]", "ValidationError: the upper bound must be above the lower bound")
        if bounds[-1] == (None, None):
            yield Problem(f"stepAdjustments[{index}]", "ValidationError: at least one bound must be specified")
    ordered = sorted(bounds, key=lambda bound: float("-inf") if bound[0] is None else bound[0])
    for before, after in itertools.pairwise(ordered):
        if before[1] is None or before[1] != after[0]:
            yield Problem("stepAdjustments", "ValidationError: step adjustment intervals can't overlap or have a gap")


def _bound(text: Any) -> float | None:
    """`None`: there is none. `limits.csv` refuses what is not a number."""
    try:
        return float(text) if text not in (None, "") else None
    except ValueError:
        return None


RULES: Rules = {
    "aws:ec2/launchTemplate:LaunchTemplate": (_user_data_fits, _volumes_exist),
    "aws:autoscaling/group:Group": (
        _sizes_are_in_order,
        _launches_one_way,
        _refresh_goes_on,
        _distribution_fits,
        _maintenance_is_possible,
        _elb_checks_have_targets,
    ),
    "aws:autoscaling/policy:Policy": (_policy_fits_its_type,),
}
