"""What a replica starts with: image, disk, role, network, user data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.components.machine_image import MachineImage
from infra.planning import ServicePlan, boot

IMAGE = ["imageId", "blockDeviceMappings[0].deviceName"]
"""The properties that belong to a machine image."""
DELETION = "45m"
"""A group goes when its last instance has, and large ones take longer than the provider's 15 minutes."""


@dataclass(frozen=True, kw_only=True)
class LaunchTemplateArgs:
    """Everything that a replica starts with."""

    plan: ServicePlan
    image: MachineImage
    region: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    balancer_security_group: pulumi.Input[str]
    profile_arn: pulumi.Input[str]
    table: pulumi.Input[str]
    log_group: pulumi.Input[str]
    """Name of the run's log group."""
    parameter_versions: pulumi.Input[Mapping[str, int]]
    files_bucket: pulumi.Input[str | None]
    """The bucket that replicas read their files from; `None`: they have none."""
    tags: Mapping[str, str]
    """Of instances, volumes and network interfaces, which the provider's default tags do not reach."""
    after: pulumi.Resource
    """What is there before anything of a service is made."""


class LaunchTemplate(pulumi.ComponentResource):
    """The launch template, and the security group of replicas. The group admits only the load balancer, and no SSH.
    Replicas have public addresses, so that they can fetch image and weights. The machine image is the pinned one, or
    the newest one at the time when the template is made. Later updates keep this image and its root device, because
    each new image of AWS would replace every replica."""

    id: pulumi.Output[str]
    version: pulumi.Output[str]
    """Its newest. Auto Scaling replaces instances when this changes; it would not for `$Latest`."""

    def __init__(self, name: str, args: LaunchTemplateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:launch_template:LaunchTemplate", name, None, opts)
        plan = args.plan
        user_data = pulumi.Output.all(
            args.region, args.table, args.log_group, args.parameter_versions, args.files_bucket
        ).apply(
            lambda known: boot.user_data(
                plan,
                region=known[0],
                table=known[1],
                log_group=known[2],
                parameter_versions=known[3],
                files_bucket=known[4],
            )
        )
        template = aws.ec2.LaunchTemplate(
            f"{name}-replica",
            image_id=args.image.id,
            **_reserved(plan),
            update_default_version=True,
            iam_instance_profile=aws.ec2.LaunchTemplateIamInstanceProfileArgs(arn=args.profile_arn),
            metadata_options=aws.ec2.LaunchTemplateMetadataOptionsArgs(
                http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
            ),
            block_device_mappings=[
                aws.ec2.LaunchTemplateBlockDeviceMappingArgs(
                    device_name=args.image.root_device,
                    ebs=aws.ec2.LaunchTemplateBlockDeviceMappingEbsArgs(
                        volume_type="gp3", volume_size=plan.disk_gb, encrypted="true", delete_on_termination="true"
                    ),
                )
            ],
            network_interfaces=[
                aws.ec2.LaunchTemplateNetworkInterfaceArgs(
                    device_index=0,
                    associate_public_ip_address="true",
                    delete_on_termination="true",
                    security_groups=[self._security_group(name, args)],
                )
            ],
            tag_specifications=[
                aws.ec2.LaunchTemplateTagSpecificationArgs(resource_type=kind, tags=args.tags)
                for kind in ("instance", "volume", "network-interface")
            ],
            user_data=user_data,
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=[] if plan.ami else IMAGE),
        )
        self.id = template.id
        self.version = template.latest_version.apply(lambda version: str(int(version)))
        self.register_outputs({"id": self.id, "version": self.version})

    def _security_group(self, name: str, args: LaunchTemplateArgs) -> pulumi.Output[str]:
        group = aws.ec2.SecurityGroup(
            f"{name}-replica",
            # EC2 refuses a group whose name begins with `sg-`, and the name of a run can begin so.
            name_prefix=f"servestack-{name}-",
            vpc_id=args.vpc_id,
            description="Replicas of a servestack service: the load balancer calls them",
            tags={"Name": name},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[args.after], custom_timeouts=pulumi.CustomTimeouts(delete=DELETION)
            ),
        )
        admitted = aws.vpc.SecurityGroupIngressRule(
            f"{name}-replica-from-load-balancer",
            security_group_id=group.id,
            description="From the load balancer alone",
            ip_protocol="tcp",
            from_port=boot.REPLICA_PORT,
            to_port=boot.REPLICA_PORT,
            referenced_security_group_id=args.balancer_security_group,
            # If a service moves to another gateway of the same network, its replicas serve the old gateway until the
            # update ends.
            opts=pulumi.ResourceOptions(parent=self, replacement_trigger=args.balancer_security_group),
        )
        way_out = aws.vpc.SecurityGroupEgressRule(
            f"{name}-replica-to-anywhere",
            security_group_id=group.id,
            description="To registries, the Hub and AWS",
            ip_protocol="-1",
            cidr_ipv4="0.0.0.0/0",
            opts=pulumi.ResourceOptions(parent=self),
        )
        # What uses the group waits until its rules exist.
        return pulumi.Output.all(group.id, admitted.id, way_out.id).apply(lambda ids: str(ids[0]))


def _reserved(plan: ServicePlan) -> dict[str, Any]:
    """Return what makes instances start only in a reservation, which is for one instance type."""
    if plan.reservation is None:
        return {}
    target = aws.ec2.LaunchTemplateCapacityReservationSpecificationCapacityReservationTargetArgs(
        capacity_reservation_id=plan.reservation.id
    )
    options: dict[str, Any] = {
        "instance_type": plan.offers[0].instance_type,
        "capacity_reservation_specification": aws.ec2.LaunchTemplateCapacityReservationSpecificationArgs(
            capacity_reservation_target=target
        ),
    }
    if plan.reservation.capacity_block:
        options["instance_market_options"] = aws.ec2.LaunchTemplateInstanceMarketOptionsArgs(
            market_type="capacity-block"
        )
    return options
