"""The replicas of a service: an Auto Scaling group over the plan's offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.planning import ServicePlan, boot
from infra.planning.plan import Purchase, Roll
from infra.planning.text import decimal

STATUS_CHECK_GRACE = 300
"""Seconds after its start in which a failed status check of EC2 does not end an instance (the console's default)."""
NEWEST_FIRST = ("NewestInstance",)
"""Which instance ends if there is one too many, in the zone that has most. After a refresh that failed or was
cancelled, the newest is the one that does not serve. The default ends the one of the oldest template, which does."""
AS_IT_IS = -1
"""The provider's word for a capacity that a scheduled action leaves alone: a service that runs keeps its replicas. Auto
Scaling raises it to the minimum."""
DELETION = "60m"
"""Instances drain for 15 minutes, and large ones end slowly."""


@dataclass(frozen=True, kw_only=True)
class ReplicasArgs:
    """What the group starts, how many, and where."""

    plan: ServicePlan
    template_id: pulumi.Input[str]
    template_version: pulumi.Input[str]
    target_group_arn: pulumi.Input[str]
    listener_arn: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    table: pulumi.Input[str]
    """Name of the registry's table."""
    role: pulumi.Input[str]
    """Name of the replicas' role. It may have the instances of this group replaced, and of no other."""
    tags: Mapping[str, str]
    after: Sequence[pulumi.Resource]
    """The load balancer's rule and the role's policy: instances need both."""


class Replicas(pulumi.ComponentResource):
    """The group. It replaces an instance that EC2 finds broken, or that asks for it itself (`infra/planning/boot`). The
    load balancer's check decides only who gets requests: a busy replica answers it late.

    Its desired capacity is not set, so an update keeps the size that scaling has chosen. The provider does not wait for
    capacity. It would wait for exactly the desired number, and fail for a service that has scaled. `Readiness` waits.
    It is deleted with its instances. A service that moves to another gateway gets a new group before the old one goes,
    because the provider would try to move the group into the other network.

    With a schedule it begins without replicas, and scheduled actions change its sizes. An update therefore leaves the
    sizes alone, because it would end a service that its schedule has started.
    """

    group: pulumi.Output[str]
    """Its name."""
    resource: pulumi.Resource
    permission: pulumi.Resource
    """Lets a replica have itself replaced. It needs the group, so it comes after the first instances start."""

    def __init__(self, name: str, args: ReplicasArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:replicas:Replicas", name, None, opts)
        plan = args.plan
        group = aws.autoscaling.Group(
            f"{name}-replicas",
            min_size=plan.replicas.minimum if plan.schedule is None else 0,
            max_size=plan.replicas.maximum if plan.schedule is None else 0,
            **_launched(args),
            vpc_zone_identifiers=args.subnet_ids,
            target_group_arns=[args.target_group_arn],
            health_check_type="EC2",
            health_check_grace_period=STATUS_CHECK_GRACE,
            termination_policies=NEWEST_FIRST,
            capacity_rebalance=plan.purchase.on_demand_percentage_above_base == 0,
            instance_refresh=_refresh(plan.roll),
            wait_for_capacity_timeout="0",
            force_delete=True,
            enabled_metrics=[
                aws.autoscaling.Metric.GROUP_DESIRED_CAPACITY,
                aws.autoscaling.Metric.GROUP_IN_SERVICE_INSTANCES,
                aws.autoscaling.Metric.GROUP_PENDING_INSTANCES,
            ],
            tags=[
                aws.autoscaling.GroupTagArgs(key=key, value=value, propagate_at_launch=False)
                for key, value in args.tags.items()
            ],
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=list(args.after),
                replacement_trigger=args.listener_arn,
                ignore_changes=[] if plan.schedule is None else ["minSize", "maxSize"],
                custom_timeouts=pulumi.CustomTimeouts(delete=DELETION),
            ),
        )
        _schedule(name, plan, group, self)
        if plan.utilization is not None:
            self._name_for_replicas(name, args, group)
        self.permission = aws.iam.RolePolicy(
            f"{name}-replace",
            role=args.role,
            policy=group.arn.apply(
                lambda arn: policies.document(*policies.replace_instance(arn, may_end=plan.utilization is not None))
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.resource = group
        self.group = group.name
        self.register_outputs({"group": self.group})

    def _name_for_replicas(self, name: str, args: ReplicasArgs, group: aws.autoscaling.Group) -> None:
        """Tell replicas the name of their group, so that they can end a service whose GPUs are not used."""
        prefix = pulumi.Output.from_input(args.table).apply(lambda table: boot.parameter_prefix(table, args.plan.run))
        aws.ssm.Parameter(
            f"{name}-{boot.GROUP_NAME}",
            name=pulumi.Output.concat(prefix, boot.GROUP_NAME),
            type="String",
            tier="Standard",
            value=group.name,
            opts=pulumi.ResourceOptions(parent=self),
        )


def _launched(args: ReplicasArgs) -> dict[str, Any]:
    """What starts an instance: the offers, or the launch template alone for a reservation, which it names with the
    instance type. The user guide describes Capacity Blocks only for a group without a mixed instances policy."""
    if args.plan.reservation is not None:
        template = aws.autoscaling.GroupLaunchTemplateArgs(id=args.template_id, version=args.template_version)
        return {"launch_template": template}
    specification = aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateLaunchTemplateSpecificationArgs(
        launch_template_id=args.template_id, version=args.template_version
    )
    overrides = [
        aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateOverrideArgs(instance_type=offer.instance_type)
        for offer in args.plan.offers
    ]
    policy = aws.autoscaling.GroupMixedInstancesPolicyArgs(
        launch_template=aws.autoscaling.GroupMixedInstancesPolicyLaunchTemplateArgs(
            launch_template_specification=specification, overrides=overrides
        ),
        instances_distribution=_distribution(args.plan.purchase),
    )
    return {"mixed_instances_policy": policy}


def _schedule(name: str, plan: ServicePlan, group: aws.autoscaling.Group, parent: pulumi.Resource) -> None:
    """Make the scheduled actions, which start and end the replicas at the times of the plan."""
    if plan.schedule is None:
        return
    inside = pulumi.ResourceOptions(parent=parent)
    for number, recurrence in enumerate(plan.schedule.starts):
        aws.autoscaling.Schedule(
            f"{name}-start-{number}",
            scheduled_action_name=f"start-{number}",
            autoscaling_group_name=group.name,
            recurrence=recurrence,
            min_size=plan.replicas.minimum,
            max_size=plan.replicas.maximum,
            desired_capacity=AS_IT_IS,
            opts=inside,
        )
    for number, recurrence in enumerate(plan.schedule.ends):
        aws.autoscaling.Schedule(
            f"{name}-end-{number}",
            scheduled_action_name=f"end-{number}",
            autoscaling_group_name=group.name,
            recurrence=recurrence,
            min_size=0,
            max_size=0,
            desired_capacity=0,
            opts=inside,
        )


def _distribution(purchase: Purchase) -> aws.autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs:
    """Return how instances are bought: on demand in the order of the plan's prices, spot by AWS's capacity and
    price."""
    ceiling = purchase.spot_max_price
    return aws.autoscaling.GroupMixedInstancesPolicyInstancesDistributionArgs(
        on_demand_allocation_strategy="prioritized",
        on_demand_base_capacity=purchase.on_demand_base,
        on_demand_percentage_above_base_capacity=purchase.on_demand_percentage_above_base,
        spot_allocation_strategy="price-capacity-optimized",
        spot_max_price=None if ceiling is None else decimal(ceiling),
    )


def _refresh(roll: Roll) -> aws.autoscaling.GroupInstanceRefreshArgs:
    """Return the settings of the refresh: a new version of the launch template replaces the instances. The provider
    starts the refresh and does not wait for it."""
    return aws.autoscaling.GroupInstanceRefreshArgs(
        strategy="Rolling",
        preferences=aws.autoscaling.GroupInstanceRefreshPreferencesArgs(
            min_healthy_percentage=roll.min_healthy_percentage,
            max_healthy_percentage=roll.max_healthy_percentage,
            instance_warmup=str(roll.warmup),
        ),
    )
