"""The gateway stack: everything that the services of one domain and region share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi

from infra.components.alarms import Alarms, AlarmsArgs
from infra.components.api import STAGE, Api, ApiArgs
from infra.components.audit import Audit, AuditArgs
from infra.components.connection import VERSION
from infra.components.dashboard import Dashboard, DashboardArgs
from infra.components.domain import Domain, DomainArgs, Zone
from infra.components.existing_network import ExistingNetwork, ExistingNetworkArgs, FoundNetwork
from infra.components.files import FilesBucket, FilesBucketArgs
from infra.components.function import Function, FunctionArgs
from infra.components.function_role import FunctionRole, FunctionRoleArgs
from infra.components.load_balancer import LoadBalancer, LoadBalancerArgs
from infra.components.network import Network, NetworkArgs
from infra.components.registry import Registry, RegistryArgs
from infra.components.teardown import Teardown, TeardownArgs
from infra.planning import GatewayPlan
from infra.planning.alarms import gateway_alarms
from infra.planning.dashboard import gateway_widgets

TEARDOWN = "teardown (if protected: pulumi config set protect false)"
"""Part of a name, because Pulumi's refusal to delete a protected resource shows the name, and says nothing else that a
user of this program could do."""


@dataclass(frozen=True, kw_only=True)
class GatewayArgs:
    """The plan, and what was looked up for it."""

    plan: GatewayPlan
    layer: str
    """ARN of the web adapter's layer."""
    code: Path
    """The function's zip."""
    handler: str
    network: FoundNetwork | Sequence[str]
    """An existing network, or the zones of one that is made."""
    zone: Zone | None
    """The hosted zone; `None` exactly where the plan has no domain."""
    profile: str | None = None
    """The AWS profile that everything is done with; `None`: the caller's own."""


class Gateway(pulumi.ComponentResource):
    """Registry, role of the function, network, load balancer, function, API, and the domain if there is one."""

    url: pulumi.Output[str]
    api_keys: pulumi.Output[Mapping[str, str]]
    name_servers: Sequence[str]
    connection: Mapping[str, pulumi.Input[Any]]
    """What a service stack reads: `infra.components.connection.Connection`, and nothing else."""
    dashboard: pulumi.Output[str]
    """Address of the gateway's dashboard."""
    serves: pulumi.CustomResource
    """What is created last: once it exists, the gateway answers."""

    def __init__(self, name: str, args: GatewayArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:gateway:Gateway", name, None, opts)
        plan = args.plan
        registry = Registry(
            name, RegistryArgs(keys=plan.keys, protect=plan.protect), pulumi.ResourceOptions(parent=self)
        )
        role = FunctionRole(name, FunctionRoleArgs(table_arn=registry.table_arn), pulumi.ResourceOptions(parent=self))
        network = self._network(name, args, role)
        audit = self._audit(name, args, registry, network)
        balancer = LoadBalancer(
            name,
            LoadBalancerArgs(
                vpc_id=network.vpc_id,
                subnet_ids=network.subnet_ids,
                protect=plan.protect,
                log_bucket=None if audit is None else audit.bucket,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        function = Function(
            name,
            FunctionArgs(
                code=args.code,
                handler=args.handler,
                layer=args.layer,
                memory_size=plan.memory_size,
                reserved_concurrency=plan.reserved_concurrency,
                domain=plan.domain,
                allowed_origins=",".join(plan.allowed_origins),
                vpc_id=network.vpc_id,
                subnet_ids=network.subnet_ids,
                default_security_group=network.default_security_group if isinstance(network, Network) else None,
                dynamodb_prefix_list=network.dynamodb_prefix_list,
                balancer_dns_name=balancer.dns_name,
                balancer_security_group=balancer.security_group,
                table=registry.table,
                role=role,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        api = Api(
            name,
            ApiArgs(
                function_name=function.function_name,
                streaming_invoke_arn=function.streaming_invoke_arn,
                own_address=plan.domain is None,
                manage_account=plan.manage_api_gateway_account,
                pages_read_errors=plan.allowed_origins != ("none",),
            ),
            pulumi.ResourceOptions(parent=self),
        )
        domain = self._domain(name, args, api)
        # A gateway's name may begin with `xn--`, which S3 does not allow.
        prefix = f"servestack-{name[:19].rstrip('-')}-files-"
        files = FilesBucket(name, FilesBucketArgs(prefix=prefix), pulumi.ResourceOptions(parent=self))
        dashboard, alarms = self._watch(name, plan, registry, function, api)
        optional = [part for part in (audit, domain, alarms) if part is not None]
        everything = [registry, role, network, balancer, function, api, dashboard, files, *optional]
        self.serves = Teardown(
            f"{name}-{TEARDOWN}",
            TeardownArgs(region=plan.region, table=registry.table, profile=args.profile),
            pulumi.ResourceOptions(
                parent=self,
                depends_on=everything,
                protect=plan.protect,
                aliases=[pulumi.Alias(name=f"{name}-teardown")],
            ),
        )
        self.url = api.own_url if plan.domain is None else pulumi.Output.from_input(f"https://gateway.{plan.domain}")
        self.api_keys = registry.api_keys
        self.dashboard = dashboard.url
        self.name_servers = () if args.zone is None else tuple(args.zone.name_servers)
        self.connection = {
            "version": VERSION,
            "region": plan.region,
            "domain": plan.domain,
            "vpc_id": network.vpc_id,
            "subnet_ids": network.subnet_ids,
            "listener_arn": balancer.listener_arn,
            "alb_arn_suffix": balancer.arn_suffix,
            "alb_security_group": balancer.security_group,
            "table": registry.table,
            "zone_id": None if args.zone is None else args.zone.id,
            "api_target": {
                "url": self.url,
                "name": None if domain is None else domain.target_name,
                "zone_id": None if domain is None else domain.target_zone_id,
            },
            "auth": plan.auth,
            "files_bucket": files.bucket,
        }
        self.register_outputs({"url": self.url, "connection": self.connection})

    def _network(self, name: str, args: GatewayArgs, role: FunctionRole) -> Network | ExistingNetwork:
        region = args.plan.region
        if isinstance(args.network, FoundNetwork):
            found = ExistingNetworkArgs(region=region, found=args.network)
            return ExistingNetwork(name, found, pulumi.ResourceOptions(parent=self))
        zones = NetworkArgs(region=region, zones=args.network, after=role.policy)
        return Network(name, zones, pulumi.ResourceOptions(parent=self))

    def _audit(
        self, name: str, args: GatewayArgs, registry: Registry, network: Network | ExistingNetwork
    ) -> Audit | None:
        """Make the audit logs. An existing network gets no flow log, because others use it too."""
        if not args.plan.audit:
            return None
        own = network.vpc_id if isinstance(network, Network) else None
        return Audit(name, AuditArgs(beside=registry.table_arn, vpc_id=own), pulumi.ResourceOptions(parent=self))

    def _watch(
        self, name: str, plan: GatewayPlan, registry: Registry, function: Function, api: Api
    ) -> tuple[Dashboard, Alarms | None]:
        """Make the dashboard, and the alarms if someone gets their messages."""
        names: Mapping[str, pulumi.Input[str]] = {
            "table": registry.table,
            "function": function.function_name,
            "api": api.name,
            "stage": STAGE,
        }
        inside = pulumi.ResourceOptions(parent=self)
        shown = DashboardArgs(widgets=gateway_widgets(plan), names=names, region=plan.region)
        dashboard = Dashboard(name, shown, inside)
        if plan.alarms is None:
            return dashboard, None
        return dashboard, Alarms(name, AlarmsArgs(told=plan.alarms, alarms=gateway_alarms(plan), names=names), inside)

    def _domain(self, name: str, args: GatewayArgs, api: Api) -> Domain | None:
        if args.plan.domain is None or args.zone is None:
            return None
        return Domain(
            name,
            DomainArgs(
                domain=args.plan.domain,
                zone=args.zone,
                certificate_arn=args.plan.certificate_arn,
                rest_api=api.rest_api,
                stage=api.stage,
            ),
            pulumi.ResourceOptions(parent=self),
        )
