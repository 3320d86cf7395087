"""The service stack: one run, from its claim to its routing record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.components.alarms import Alarms, AlarmsArgs
from infra.components.connection import Connection
from infra.components.dashboard import Dashboard, DashboardArgs
from infra.components.files import StoredFilesArgs, store_files
from infra.components.machine_image import MachineImage
from infra.components.model_claim import ModelClaimArgs, ModelNameClaim
from infra.components.replica_group import SharedByGroups, make_replica_group
from infra.components.replica_role import ReplicaRole, ReplicaRoleArgs, Secrets, SecretsArgs
from infra.components.route import Claim, ClaimArgs, Route, RouteArgs
from infra.components.run_name import RunName, RunNameArgs
from infra.components.target_group import TargetGroup, TargetGroupArgs
from infra.planning import ServicePlan, boot
from infra.planning.alarms import service_alarms
from infra.planning.dashboard import service_widgets
from infra.planning.metrics import group_key
from infra.planning.private_ecr import pulled

RETENTION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class ServiceArgs:
    """The plan, and where it is deployed."""

    plan: ServicePlan
    connection: pulumi.Output[Connection]
    """Checked. It is the only thing that a service knows of its gateway."""
    subnet_ids: pulumi.Input[Sequence[str]]
    """Those of the gateway's in which replicas may run."""
    image: MachineImage
    objects: Mapping[str, Path]
    """What replicas fetch: files of this machine, by the hash of their content."""
    has_domain: bool
    """Whether the gateway has one, which decides what is made and is therefore known before."""
    owner: str
    """Full name of the stack."""
    tags: Mapping[str, str]
    """Of instances and their volumes."""
    profile: str | None = None
    """The AWS profile that everything is done with; `None`: the caller's own."""


class Service(pulumi.ComponentResource):
    """It is created in this order, and deleted in the opposite order: the claims of the run name and of the model name;
    secrets, role and target group; the rule; the group; readiness; the DNS record; the routing record."""

    dashboard: pulumi.Output[str]
    """Address of the run's dashboard."""
    serves: pulumi.CustomResource
    """What is created last: once it exists, requests reach the service."""

    def __init__(self, name: str, args: ServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:service:Service", name, None, opts)
        plan, connection = args.plan, args.connection
        inside = pulumi.ResourceOptions(parent=self)
        table = connection.apply(lambda one: one.table)
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
        bucket = connection.apply(lambda one: one.files_bucket if plan.lays else None)
        stored = StoredFilesArgs(run=plan.run, bucket=bucket, objects=args.objects, after=claim)
        files = store_files(name, stored, inside)
        role = ReplicaRole(
            name,
            ReplicaRoleArgs(
                run=plan.run,
                log_group_arn=logs.arn,
                table=table,
                pulls=pulled(plan),
                files_bucket=bucket,
                after=claim,
            ),
            inside,
        )
        targets = TargetGroup(
            name,
            TargetGroupArgs(
                host=connection.apply(lambda one: one.host(plan.run)),
                health_check=plan.health_check,
                draining=plan.draining,
                vpc_id=connection.apply(lambda one: one.vpc_id),
                listener_arn=connection.apply(lambda one: one.listener_arn),
                after=claim,
            ),
            inside,
        )
        shared = SharedByGroups(
            plan=plan,
            connection=connection,
            subnet_ids=args.subnet_ids,
            image=args.image,
            stack=args.owner.rpartition("/")[2],
            tags=args.tags,
            profile=args.profile,
            log_group=logs.name,
            parameter_versions=secrets.versions,
            files_bucket=bucket,
            files=files,
            role=role,
            targets=targets,
            after=claim,
        )
        groups = [make_replica_group(group, shared, self) for group in plan.groups]
        after = list(dict.fromkeys(one for group in groups for one in (*group.serving, *group.scaling)))
        route = Route(
            name, RouteArgs(plan=plan, connection=connection, has_domain=args.has_domain, after=after), inside
        )
        self.dashboard = self._watch(name, args, claim, targets, [group.name for group in groups])
        self.serves = route.item
        self.register_outputs({"dashboard": self.dashboard})

    def _claim(self, name: str, args: ServiceArgs, table: pulumi.Output[str]) -> pulumi.Resource:
        """Claim the run name and the model name, if there is one, and return the last claim. Everything else waits
        for it."""
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
        self,
        name: str,
        args: ServiceArgs,
        claim: pulumi.Resource,
        targets: TargetGroup,
        groups: Sequence[pulumi.Output[str]],
    ) -> pulumi.Output[str]:
        """Make the dashboard, and the alarms if someone gets their messages. Return the address of the dashboard."""
        plan, connection = args.plan, args.connection
        names: Mapping[str, pulumi.Input[str]] = {
            "table": connection.apply(lambda one: one.table),
            "run": plan.run,
            **{group_key(number): group for number, group in enumerate(groups)},
            "balancer": connection.apply(lambda one: one.alb_arn_suffix),
            "target_group": targets.arn_suffix,
        }
        inside = pulumi.ResourceOptions(parent=self)
        if plan.alarms is not None:
            alarms = AlarmsArgs(told=plan.alarms, alarms=service_alarms(plan), names=names, after=claim)
            Alarms(name, alarms, inside)
        region = connection.apply(lambda one: one.region)
        return Dashboard(name, DashboardArgs(widgets=service_widgets(plan), names=names, region=region), inside).url
