"""How requests find a service: its name in DNS, and its item in the registry."""

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
    """Who claims what."""

    run: str
    owner: str
    """Full name of the stack."""
    table: pulumi.Input[str]
    after: pulumi.Resource
    """What has found the name free."""


class Claim(pulumi.ComponentResource):
    """The item that reserves the run name for this stack. The provider writes it only if no such item exists, so a name
    that another stack has fails here, before anything costs money."""

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
    """What is routed to, and when."""

    plan: ServicePlan
    connection: pulumi.Output[Connection]
    has_domain: bool
    after: Sequence[pulumi.Resource]
    """What serves. The route is made after it and deleted before it."""


class Route(pulumi.ComponentResource):
    """The run's DNS record, where the gateway has a domain, and its routing item, which is made last of all and deleted
    first: the gateway never sends a request to what is not there yet or not any more."""

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
            # The upstream's own key is in it, where there is one.
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
    """The routing item. What the configuration leaves open, the gateway says."""
    host = connection.host(plan.run)
    return routing_item(service_record(plan, host=host, gateway_auth=connection.auth))
