"""The service stack: one run, from its claim to the item that the gateway routes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.alarms import Alarms, AlarmsArgs
from infra.components.connection import Connection
from infra.components.dashboard import Dashboard, DashboardArgs
from infra.components.launch_template import LaunchTemplate, LaunchTemplateArgs
from infra.components.machine_image import MachineImage
from infra.components.model_claim import ModelClaimArgs, ModelNameClaim
from infra.components.readiness import Readiness, ReadinessArgs
from infra.components.replica_role import ReplicaRole, ReplicaRoleArgs, Secrets, SecretsArgs
from infra.components.replicas import Replicas, ReplicasArgs
from infra.components.route import Claim, ClaimArgs, Route, RouteArgs
from infra.components.run_name import RunName, RunNameArgs
from infra.components.scaling import Scaler, ScalerArgs
from infra.components.target_group import TargetGroup, TargetGroupArgs
from infra.planning import ServicePlan, boot
from infra.planning.alarms import service_alarms
from infra.planning.dashboard import service_widgets
from infra.planning.private_ecr import pulled_by_role

RETENTION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """The plan, and where it is deployed to."""

    plan: ServicePlan
    connection: pulumi.Output[Connection]
    """Checked. It is the only thing that a service knows of its gateway."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """Those of the gateway's in which replicas may run."""
    image: MachineImage
    has_domain: bool
    """Whether the gateway has one, which decides what is made and is therefore known before."""
    owner: str
    """Full name of the stack."""
    tags: Mapping[str, str]
    """Of instances and their volumes."""
    profile: str | None = None
    """The AWS profile that everything is done with; `None`: the caller's own."""


class Service(pulumi.ComponentResource):
    """Claims of the run's and the model's name, then secrets, role and target group, then the rule, the group,
    waiting until it serves, DNS, and the routing item; and back."""

    dashboard: pulumi.Output[str]
    """Address of the run's dashboard."""
    serves: pulumi.CustomResource
    """What is created last: once it exists, requests reach the service."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:service:Service", name, None, opts)
        plan, connection = args.plan, args.connection
        inside = pulumi.ResourceOptions(parent=self)
        table = connection.apply(lambda one: one.table)
        vpc_id = connection.apply(lambda one: one.vpc_id)
        listener_arn = connection.apply(lambda one: one.listener_arn)
        claim = self._claim(name, args, table)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-replicas",
            name_prefix=f"/servestack/{name}/",
            retention_in_days=RETENTION_DAYS,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[claim]),
        )
        secrets = Secrets(
            name, SecretsArgs(run=plan.run, table=table, parameters=boot.parameters(plan), after=claim), inside
        )
        role = ReplicaRole(
            name,
            ReplicaRoleArgs(
                run=plan.run, log_group_arn=logs.arn, table=table, pulls=pulled_by_role(plan.container), after=claim
            ),
            inside,
        )
        targets = TargetGroup(
            name,
            TargetGroupArgs(
                host=connection.apply(lambda one: one.host(plan.run)),
                health_check=plan.health_check,
                draining=plan.draining,
                vpc_id=vpc_id,
                listener_arn=listener_arn,
                after=claim,
            ),
            inside,
        )
        template = LaunchTemplate(
            name,
            LaunchTemplateArgs(
                plan=plan,
                image=args.image,
                region=connection.apply(lambda one: one.region),
                vpc_id=vpc_id,
                balancer_security_group=connection.apply(lambda one: one.alb_security_group),
                profile_arn=role.profile_arn,
                table=table,
                log_group=logs.name,
                parameter_versions=secrets.versions,
                tags=args.tags,
                after=claim,
            ),
            inside,
        )
        replicas = Replicas(
            name,
            ReplicasArgs(
                plan=plan,
                template_id=template.id,
                template_version=template.version,
                target_group_arn=targets.arn,
                listener_arn=listener_arn,
                subnet_ids=args.subnet_ids,
                table=table,
                role=role.name,
                tags=args.tags,
                after=[targets.rule, role.policy],
            ),
            inside,
        )
        serving = self._serving(name, args, template, targets, replicas, logs)
        after = [*serving, *self._scale(name, args, targets, replicas)]
        route = Route(
            name, RouteArgs(plan=plan, connection=connection, has_domain=args.has_domain, after=after), inside
        )
        self.dashboard = self._watch(name, args, claim, targets, replicas)
        self.serves = route.item
        self.register_outputs({"dashboard": self.dashboard})

    def _claim(self, name: str, args: ServiceArgs, table: pulumi.Output[str]) -> pulumi.Resource:
        """What everything else is made after: the run name is this stack's, and the model name too, if there is one."""
        plan = args.plan
        region = args.connection.apply(lambda one: one.region)
        free = RunName(
            f"{name}-name",
            RunNameArgs(run=plan.run, owner=args.owner, region=region, table=table, profile=args.profile),
            pulumi.ResourceOptions(parent=self),
        )
        claim = ClaimArgs(run=plan.run, owner=args.owner, table=table, after=free)
        run = Claim(name, claim, pulumi.ResourceOptions(parent=self)).item
        if plan.model is None:
            return run
        return ModelNameClaim(
            f"{name}-model",
            ModelClaimArgs(
                model=plan.model.name,
                run=plan.run,
                owner=args.owner,
                shared=plan.weight is not None,
                region=region,
                table=table,
                profile=args.profile,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[run]),
        )

    def _watch(
        self, name: str, args: ServiceArgs, claim: pulumi.Resource, targets: TargetGroup, replicas: Replicas
    ) -> pulumi.Output[str]:
        """The dashboard, whose address is returned, and the alarms, if someone is told."""
        plan, connection = args.plan, args.connection
        names: Mapping[str, pulumi.Input[str]] = {
            "table": connection.apply(lambda one: one.table),
            "run": plan.run,
            "group": replicas.group,
            "balancer": connection.apply(lambda one: one.alb_arn_suffix),
            "target_group": targets.arn_suffix,
        }
        inside = pulumi.ResourceOptions(parent=self)
        if plan.alarms is not None:
            alarms = AlarmsArgs(told=plan.alarms, alarms=service_alarms(plan), names=names, after=claim)
            Alarms(name, alarms, inside)
        region = connection.apply(lambda one: one.region)
        return Dashboard(name, DashboardArgs(widgets=service_widgets(plan), names=names, region=region), inside).url

    def _serving(
        self,
        name: str,
        args: ServiceArgs,
        template: LaunchTemplate,
        targets: TargetGroup,
        replicas: Replicas,
        logs: aws.cloudwatch.LogGroup,
    ) -> Sequence[pulumi.Resource]:
        """What the route waits for: replicas, and that one serves, where that is waited for."""
        if not args.plan.waits:
            return [targets.rule, replicas.resource, replicas.permission]
        readiness = Readiness(
            f"{name}-readiness",
            ReadinessArgs(
                plan=args.plan,
                stack=args.owner.rpartition("/")[2],
                region=args.connection.apply(lambda one: one.region),
                group=replicas.group,
                target_group=targets.arn,
                table=args.connection.apply(lambda one: one.table),
                log_group=logs.name,
                version=template.version,
                profile=args.profile,
            ),
            pulumi.ResourceOptions(parent=self, depends_on=[targets.rule, replicas.resource]),
        )
        return [targets.rule, replicas.resource, replicas.permission, readiness]

    def _scale(
        self, name: str, args: ServiceArgs, targets: TargetGroup, replicas: Replicas
    ) -> Sequence[pulumi.Resource]:
        """What adds and takes away replicas, where something does. The route waits for it too."""
        scaling = args.plan.replicas.scaling
        if scaling is None:
            return []
        scaler = Scaler(
            name,
            ScalerArgs(
                run=args.plan.run,
                replicas=args.plan.replicas,
                boot_timeout=args.plan.boot_timeout,
                group=replicas.group,
                table=args.connection.apply(lambda one: one.table),
                balancer_arn_suffix=args.connection.apply(lambda one: one.alb_arn_suffix),
                target_group_arn_suffix=targets.arn_suffix,
                after=targets.rule,
            ),
            scaling,
            pulumi.ResourceOptions(parent=self),
        )
        return [scaler]
