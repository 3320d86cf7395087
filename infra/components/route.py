"""How requests find a service: its name in DNS, and its routing record in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components.connection import Connection
from infra.planning import ServicePlan, service_record
from infra.planning.table_items import PARTITION_KEY, SORT_KEY, claim_item, routing_item


@dataclass(frozen=True, kw_only=True)
class ClaimArgs:
    """The run name, and the stack that claims it."""

    run: str
    owner: str
    """Full name of the stack."""
    table: pulumi.Input[str]
    after: pulumi.Resource
    """What has found the name free."""


class Claim(pulumi.ComponentResource):
    """The item that reserves the run name for this stack. The provider writes it only if it does not exist. So a name
    of another stack fails here, before anything costs money."""

    item: pulumi.Resource

    def __init__(self, name: str, args: ClaimArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:route:Claim", name, None, opts)
        self.item = aws.dynamodb.TableItem(
            f"{name}-claim",
            table_name=args.table,
            hash_key=PARTITION_KEY,
            range_key=SORT_KEY,
            item=claim_item(args.run, args.owner),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )
        self.register_outputs({})


@dataclass(frozen=True, kw_only=True)
class RouteArgs:
    """The run that requests go to, and what it waits for."""

    plan: ServicePlan
    connection: pulumi.Output[Connection]
    has_domain: bool
    after: Sequence[pulumi.Resource]
    """What serves. The route is created after it and deleted before it."""


class Route(pulumi.ComponentResource):
    """The run's DNS record, if the gateway has a domain, and its routing record. The routing record is created last and
    deleted first, so the gateway sends requests only while replicas exist."""

    item: pulumi.CustomResource
    """The routing item. Once it exists, the service serves."""

    def __init__(self, name: str, args: RouteArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:route:Route", name, None, opts)
        waits = list(args.after)
        if args.has_domain:
            waits.append(self._record(name, args))
        item = args.connection.apply(lambda connection: run_item(args.plan, connection))
        self.item = aws.dynamodb.TableItem(
            f"{name}-run",
            table_name=args.connection.apply(lambda connection: connection.table),
            hash_key=PARTITION_KEY,
            range_key=SORT_KEY,
            # It contains the upstream's own key, if there is one.
            item=item if args.plan.upstream_api_key is None else pulumi.Output.secret(item),
            opts=pulumi.ResourceOptions(parent=self, depends_on=waits),
        )
        self.register_outputs({})

    def _record(self, name: str, args: RouteArgs) -> pulumi.Resource:
        connection = args.connection
        return aws.route53.Record(
            f"{name}-address",
            zone_id=connection.apply(lambda one: one.zone_id or ""),
            name=connection.apply(lambda one: one.host(args.plan.run)),
            type="A",
            aliases=[
                aws.route53.RecordAliasArgs(
                    name=connection.apply(lambda one: one.api_target.name or ""),
                    zone_id=connection.apply(lambda one: one.api_target.zone_id or ""),
                    evaluate_target_health=False,
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )


def run_item(plan: ServicePlan, connection: Connection) -> str:
    """Return the routing record. The gateway's settings apply to everything that the configuration does not set."""
    host = connection.host(plan.run)
    return routing_item(service_record(plan, host=host, gateway_auth=connection.auth))
