"""One group of replicas of a service: what starts them, waits for them, and scales them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra.components.connection import Connection
from infra.components.launch_template import LaunchTemplate, LaunchTemplateArgs
from infra.components.machine_image import MachineImage
from infra.components.readiness import Readiness, ReadinessArgs
from infra.components.replica_role import ReplicaRole
from infra.components.replicas import Replicas, ReplicasArgs
from infra.components.scaling import Scaler, ScalerArgs
from infra.components.target_group import TargetGroup
from infra.planning import ServicePlan


@dataclass(frozen=True, kw_only=True)
class SharedByGroups:
    """What all groups of a service share."""

    connection: pulumi.Output[Connection]
    subnet_ids: pulumi.Input[Sequence[str]]
    image: MachineImage
    stack: str
    """Name of the service's stack."""
    tags: Mapping[str, str]
    profile: str | None
    """The AWS profile that everything is done with; `None`: the caller's own."""
    log_group: pulumi.Input[str]
    """Name of the run's log group."""
    parameter_versions: pulumi.Input[Mapping[str, int]]
    files_bucket: pulumi.Input[str | None]
    files: Sequence[pulumi.Resource]
    role: ReplicaRole
    targets: TargetGroup
    """The load balancer sends a request to the replica of any group that has the fewest open ones."""
    plan: ServicePlan
    """Of the whole service."""
    after: pulumi.Resource
    """What is there before anything of a service is made."""


@dataclass(frozen=True, kw_only=True)
class MadeGroup:
    """The resources of a group."""

    name: pulumi.Output[str]
    """Of its Auto Scaling group."""
    serving: Sequence[pulumi.Resource]
    """What the route waits for: replicas, and that one serves, where that is waited for."""
    scaling: Sequence[pulumi.Resource]
    """What adds and takes away replicas, where something does. The route waits for it too."""


def make_replica_group(plan: ServicePlan, shared: SharedByGroups, parent: pulumi.Resource) -> MadeGroup:
    """Make the launch template and the Auto Scaling group of one group, and what waits for it and scales it.

    These are children of the service itself: a component between them would be another parent, and the resources of
    services without groups would be made again.
    """
    name, inside, connection = plan.title, pulumi.ResourceOptions(parent=parent), shared.connection
    table = connection.apply(lambda one: one.table)
    region = connection.apply(lambda one: one.region)
    template = LaunchTemplate(
        name,
        LaunchTemplateArgs(
            plan=plan,
            image=shared.image,
            region=region,
            vpc_id=connection.apply(lambda one: one.vpc_id),
            balancer_security_group=connection.apply(lambda one: one.alb_security_group),
            profile_arn=shared.role.profile_arn,
            table=table,
            log_group=shared.log_group,
            parameter_versions=shared.parameter_versions,
            files_bucket=shared.files_bucket,
            tags=shared.tags,
            after=shared.after,
        ),
        inside,
    )
    replicas = Replicas(
        name,
        ReplicasArgs(
            plan=plan,
            template_id=template.id,
            template_version=template.version,
            target_group_arn=shared.targets.arn,
            listener_arn=connection.apply(lambda one: one.listener_arn),
            subnet_ids=shared.subnet_ids,
            table=table,
            role=shared.role.name,
            tags=shared.tags,
            after=[shared.targets.rule, shared.role.policy, *shared.files],
        ),
        inside,
    )
    serving: list[pulumi.Resource] = [shared.targets.rule, replicas.resource, replicas.permission]
    if plan.waits:
        awaited = ReadinessArgs(
            plan=plan,
            stack=shared.stack,
            region=region,
            group=replicas.group,
            target_group=shared.targets.arn,
            table=table,
            log_group=shared.log_group,
            version=template.version,
            profile=shared.profile,
            alone=not shared.plan.others,
        )
        after = [shared.targets.rule, replicas.resource]
        serving.append(Readiness(f"{name}-readiness", awaited, pulumi.ResourceOptions(parent=parent, depends_on=after)))
    return MadeGroup(name=replicas.group, serving=serving, scaling=_scaled(plan, shared, replicas, parent))


def _scaled(
    plan: ServicePlan, shared: SharedByGroups, replicas: Replicas, parent: pulumi.Resource
) -> Sequence[pulumi.Resource]:
    scaling = plan.replicas.scaling
    if scaling is None:
        return []
    args = ScalerArgs(
        run=plan.run,
        replicas=plan.replicas,
        alone=not shared.plan.others,
        counted_by_gateway=shared.plan.fewest == 0,
        boot_timeout=plan.boot_timeout,
        group=replicas.group,
        table=shared.connection.apply(lambda one: one.table),
        balancer_arn_suffix=shared.connection.apply(lambda one: one.alb_arn_suffix),
        target_group_arn_suffix=shared.targets.arn_suffix,
        after=shared.targets.rule,
    )
    return [Scaler(plan.title, args, scaling, pulumi.ResourceOptions(parent=parent))]
