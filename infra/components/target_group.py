"""The target group of a service's replicas, and the rule that leads to it."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.planning import HealthCheck
from infra.planning.boot import REPLICA_PORT


@dataclass(frozen=True, kw_only=True)
class TargetGroupArgs:
    """The run, and the listener of its gateway."""

    host: pulumi.Input[str]
    """The Host header that leads here."""
    health_check: HealthCheck
    draining: int
    """Seconds that open requests have to end when their replica is removed."""
    vpc_id: pulumi.Input[str]
    listener_arn: pulumi.Input[str]
    after: pulumi.Resource
    """What is there before anything of a service is made."""


class TargetGroup(pulumi.ComponentResource):
    """A target group and its rule. The group has no fixed name: a group that is in use can only be replaced by a group
    with another name. It is replaced if the service moves to another gateway, because a group can be behind only one
    load balancer. The rule has no priority: the provider takes the next free one, also if two stacks do so at the same
    time. The order of rules means nothing, because every rule names another host. There is no slow start, because AWS
    refuses it together with this algorithm."""

    arn: pulumi.Output[str]
    arn_suffix: pulumi.Output[str]
    rule: pulumi.Resource
    """What registers targets waits for it, because targets without a load balancer have no health."""

    def __init__(self, name: str, args: TargetGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:target_group:TargetGroup", name, None, opts)
        check = args.health_check
        group = aws.lb.TargetGroup(
            f"{name}-replicas",
            name_prefix=f"{name[:5].rstrip('-')}-",
            port=REPLICA_PORT,
            protocol="HTTP",
            protocol_version="HTTP1",
            target_type="instance",
            vpc_id=args.vpc_id,
            load_balancing_algorithm_type="least_outstanding_requests",
            deregistration_delay=args.draining,
            health_check=aws.lb.TargetGroupHealthCheckArgs(
                enabled=True,
                protocol="HTTP",
                port="traffic-port",
                path=check.path,
                matcher=check.matcher,
                interval=check.interval,
                timeout=check.timeout,
                healthy_threshold=check.healthy_threshold,
                unhealthy_threshold=check.unhealthy_threshold,
            ),
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after], replacement_trigger=args.listener_arn),
        )
        self.rule = aws.lb.ListenerRule(
            f"{name}-host",
            listener_arn=args.listener_arn,
            conditions=[
                aws.lb.ListenerRuleConditionArgs(
                    host_header=aws.lb.ListenerRuleConditionHostHeaderArgs(values=[args.host])
                )
            ],
            actions=[aws.lb.ListenerRuleActionArgs(type="forward", target_group_arn=group.arn)],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )
        self.arn = group.arn
        self.arn_suffix = group.arn_suffix
        self.register_outputs({"arn": self.arn})
