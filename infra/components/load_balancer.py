"""The internal load balancer that the gateway's function calls and that services put their target groups behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components import audit
from infra.components.network import DELETION
from infra.planning.boot import REPLICA_PORT

PORT = 80
IDLE_TIMEOUT = 910
"""Seconds. A model may be silent for the whole 900 s of a function's life; the function gives up first."""
NO_SUCH_RUN = json.dumps(
    {
        "error": {
            "message": "no run of this name is routed by the load balancer; it is being deployed or removed",
            "type": "server_error",
            "param": None,
            "code": "run_not_found",
        }
    }
)


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """The network of the load balancer."""

    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    protect: bool
    """Whether Pulumi and AWS refuse to delete it: the services' rules would go with it."""
    log_bucket: pulumi.Input[str] | None
    """The bucket for its access log, which must be writable when the load balancer is made; `None`: no access log."""


class LoadBalancer(pulumi.ComponentResource):
    """An Application Load Balancer that the internet cannot reach, with one listener whose default answer is 404. Each
    service adds a rule for its own host name, so a request never reaches another service. The addresses of replicas are
    not known in advance. So the security group allows calls to every address, at the port that replicas listen on.

    It checks requests a second time, after the gateway. It refuses a request that two HTTP parsers could read
    differently. It removes a header whose name has characters other than letters, digits and `-`.
    """

    dns_name: pulumi.Output[str]
    arn_suffix: pulumi.Output[str]
    """As CloudWatch and scaling policies call it."""
    listener_arn: pulumi.Output[str]
    security_group: pulumi.Output[str]

    def __init__(self, name: str, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:load_balancer:LoadBalancer", name, None, opts)
        group = aws.ec2.SecurityGroup(
            f"{name}-load-balancer",
            vpc_id=args.vpc_id,
            description="Load balancer of servestack: the function calls it, it calls replicas",
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self, custom_timeouts=pulumi.CustomTimeouts(delete=DELETION)),
        )
        to_replicas = aws.vpc.SecurityGroupEgressRule(
            f"{name}-load-balancer-to-replicas",
            security_group_id=group.id,
            description="To the replicas of every service",
            ip_protocol="tcp",
            from_port=REPLICA_PORT,
            to_port=REPLICA_PORT,
            cidr_ipv4="0.0.0.0/0",
            opts=pulumi.ResourceOptions(parent=self),
        )
        balancer = aws.lb.LoadBalancer(
            f"{name}-load-balancer",
            name_prefix=f"{name[:5].rstrip('-')}-",
            internal=True,
            load_balancer_type="application",
            subnets=args.subnet_ids,
            security_groups=[group.id],
            idle_timeout=IDLE_TIMEOUT,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="strictest",
            access_logs=_access_logs(args.log_bucket),
            enable_deletion_protection=args.protect,
            tags={"Name": name},
            # The provider would try to move it into another VPC (pulumi-aws#1382).
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, replacement_trigger=args.vpc_id),
        )
        listener = aws.lb.Listener(
            f"{name}-listener",
            load_balancer_arn=balancer.arn,
            port=PORT,
            protocol="HTTP",
            default_actions=[
                aws.lb.ListenerDefaultActionArgs(
                    type="fixed-response",
                    fixed_response=aws.lb.ListenerDefaultActionFixedResponseArgs(
                        content_type="application/json", message_body=NO_SUCH_RUN, status_code="404"
                    ),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[to_replicas]),
        )
        self.dns_name = balancer.dns_name
        self.arn_suffix = balancer.arn_suffix
        self.listener_arn = listener.arn
        self.security_group = group.id
        self.register_outputs({"dns_name": self.dns_name, "listener_arn": self.listener_arn})


def _access_logs(bucket: pulumi.Input[str] | None) -> aws.lb.LoadBalancerAccessLogsArgs | None:
    if bucket is None:
        return None
    return aws.lb.LoadBalancerAccessLogsArgs(bucket=bucket, prefix=audit.BALANCER, enabled=True)
