"""A dashboard of CloudWatch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.planning.dashboard import dashboard_name, dashboard_url
from infra.planning.widgets import Widget, body


@dataclass(frozen=True, kw_only=True)
class DashboardArgs:
    """What is shown."""

    widgets: Sequence[Widget]
    names: Mapping[str, pulumi.Input[str]]
    """`infra.planning.metrics.Names`, of which some are known only when they are there."""
    region: pulumi.Input[str]


class Dashboard(pulumi.ComponentResource):
    """A dashboard belongs to the whole account, so its name says which gateway and which run it shows."""

    url: pulumi.Output[str]
    """Its address in AWS's console."""

    def __init__(self, name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:dashboard:Dashboard", name, None, opts)
        names, region = pulumi.Output.all(**args.names), pulumi.Output.from_input(args.region)
        # The name has only parts that never change: a dashboard with another name is another dashboard.
        own_name = pulumi.Output.all(**_named(args.names)).apply(dashboard_name)
        aws.cloudwatch.Dashboard(
            f"{name}-dashboard",
            dashboard_name=own_name,
            dashboard_body=pulumi.Output.all(names, region).apply(
                lambda known: body(args.widgets, names=known[0], region=known[1])
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.url = pulumi.Output.all(own_name, region).apply(lambda known: dashboard_url(known[0], known[1]))
        self.register_outputs({"url": self.url})


def _named(names: Mapping[str, pulumi.Input[str]]) -> Mapping[str, pulumi.Input[str]]:
    return {key: names[key] for key in ("table", "run") if key in names}
