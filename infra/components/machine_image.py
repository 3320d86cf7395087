"""The machine image that replicas start from, and which of its devices is the root volume."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.configuration import ConfigurationError, Problem
from infra.planning import ServicePlan, boot

AMI = "stack config ami"


@dataclass(frozen=True, kw_only=True)
class MachineImage:
    """A machine image of the service's region."""

    id: str
    root_device: str
    """Under another name a launch template's volume would be a second one, beside a root of the image's own size."""


def find_image(plan: ServicePlan, *, provider: pulumi.ProviderResource) -> MachineImage:
    """Return the image that the plan pins, or else the newest Deep Learning Base AMI, whose root device is known.

    Raises:
        RunError: the image does not exist, or replicas cannot start from it. It lists all problems together.
    """
    options = pulumi.InvokeOptions(provider=provider)
    if plan.ami is None:
        newest = aws.ssm.get_parameter(name=boot.AMI_PARAMETER, opts=options)
        return MachineImage(id=newest.value, root_device=boot.ROOT_DEVICE)
    # AWS leaves deprecated images out of searches, but a user can choose one.
    by_id = [aws.ec2.GetAmiFilterArgs(name="image-id", values=[plan.ami])]
    try:
        found = aws.ec2.get_ami(filters=by_id, include_deprecated=True, opts=options)
    except Exception as error:  # an invoke raises nothing narrower
        if "no results" not in str(error):
            raise
        found = None
    if found is None:
        rule = "the image must exist in the service's region, and this account must be allowed to use it"
        remedy = "name another image, or remove ami to use the newest Deep Learning Base AMI"
        raise _refusal([Problem(where=AMI, found=plan.ami, rule=rule, remedy=remedy)])
    if problems := list(_problems(plan, found)):
        raise _refusal(problems)
    return MachineImage(id=plan.ami, root_device=found.root_device_name)


def _problems(plan: ServicePlan, found: aws.ec2.GetAmiResult) -> Iterator[Problem]:
    """Return the problems that would otherwise show only when the first replica starts."""
    wanted = {
        "architecture": (found.architecture, "x86_64"),
        "root device": (found.root_device_type, "ebs"),
        "virtualization": (found.virtualization_type, "hvm"),
    }
    for name, (has, needed) in wanted.items():
        if has != needed:
            rule = f"instances with GPUs need an image whose {name} is {needed}"
            remedy = "name such an image, or remove ami to use the newest Deep Learning Base AMI"
            yield Problem(where=AMI, found=f"{plan.ami}, {name} {has}", rule=rule, remedy=remedy)
    smallest = min(plan.groups, key=lambda group: group.disk_gb)
    for mapping in found.block_device_mappings:
        size = int(mapping.ebs.get("volume_size") or 0)
        if mapping.device_name == found.root_device_name and size > smallest.disk_gb:
            where = f"resources.disk of group {smallest.group}" if plan.others else "resources.disk"
            rule = f"the disk must be at least as large as the volume of the image {plan.ami}, which has {size}GB"
            remedy = f"write disk: {size}GB.. under resources"
            yield Problem(where=where, found=f"{smallest.disk_gb}GB", rule=rule, remedy=remedy)


def _refusal(problems: list[Problem]) -> pulumi.RunError:
    return pulumi.RunError(str(ConfigurationError("machine image", problems)))
