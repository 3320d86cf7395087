"""The gateway's function: the ASGI application behind the Lambda Web Adapter, in the network of the load balancer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.components import load_balancer
from infra.components.function_role import FunctionRole
from infra.components.network import DELETION

TIMEOUT = 900
"""Seconds: the most that Lambda gives, and as long as a response may take."""
PORT = "8000"
WRAPPER = "/opt/bootstrap"
"""The layer's start script, which runs the handler as a program."""
PLAIN_TIMEOUT = "285"
"""Seconds until an answer that is not streamed is given up: the API ends what is silent for 300."""


@dataclass(frozen=True, kw_only=True)
class FunctionArgs:
    """What the function runs, and what it can reach."""

    code: Path
    """A zip that is uploaded as it is: one that Pulumi makes would lose the start script's mode bits."""
    handler: str
    layer: str
    memory_size: int
    """MB."""
    reserved_concurrency: int | None
    """Instances that only this function uses, and the most that it gets; `None`: it shares the account's limit."""
    domain: str | None
    allowed_origins: str
    """As the gateway takes it: with commas."""
    vpc_id: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[str]]
    default_security_group: pulumi.Input[str] | None
    """Takes over the function's network interfaces when it is deleted, so that its own group can go, where the subnets
    wait for them; `None`: the group itself waits for them, for the subnets stay."""
    dynamodb_prefix_list: pulumi.Input[str]
    balancer_dns_name: pulumi.Input[str]
    balancer_security_group: pulumi.Input[str]
    table: pulumi.Input[str]
    role: FunctionRole


class Function(pulumi.ComponentResource):
    """The function, and the two connections that it can make: to the load balancer and to the registry's table. It
    calls the load balancer by the load balancer's own name, because the name of a run leads back to the API.

    It needs no other connection. Lambda itself delivers its requests and its log, outside of the network. Security
    groups do not filter DNS queries to the VPC's resolver (vpc/latest/userguide/vpc-security-groups.html).
    """

    arn: pulumi.Output[str]
    function_name: pulumi.Output[str]
    streaming_invoke_arn: pulumi.Output[str]
    """For API Gateway's integrations that stream; the ordinary one is refused there."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:function:Function", name, None, opts)
        group = aws.ec2.SecurityGroup(
            f"{name}-function",
            vpc_id=args.vpc_id,
            description="Function of servestack, which nothing calls over the network",
            tags={"Name": name},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.role.policy],
                custom_timeouts=pulumi.CustomTimeouts(delete=DELETION),
            ),
        )
        ways_out = self._connect(name, args, group.id)
        takes_over = args.default_security_group
        function = aws.lambda_.Function(
            f"{name}-function",
            description="servestack's gateway",
            runtime="python3.13",
            architectures=["arm64"],
            code=pulumi.FileArchive(str(args.code)),
            handler=args.handler,
            layers=[args.layer],
            memory_size=args.memory_size,
            timeout=TIMEOUT,
            reserved_concurrent_executions=args.reserved_concurrency,
            role=args.role.arn,
            environment=aws.lambda_.FunctionEnvironmentArgs(variables=_environment(args)),
            vpc_config=aws.lambda_.FunctionVpcConfigArgs(subnet_ids=args.subnet_ids, security_group_ids=[group.id]),
            replace_security_groups_on_destroy=None if takes_over is None else True,
            replacement_security_group_ids=None if takes_over is None else [takes_over],
            logging_config=aws.lambda_.FunctionLoggingConfigArgs(log_format="Text", log_group=args.role.log_group),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.role.policy, *ways_out]),
        )
        self.arn = function.arn
        self.function_name = function.name
        self.streaming_invoke_arn = function.response_streaming_invoke_arn
        self.register_outputs({"arn": self.arn})

    def _connect(self, name: str, args: FunctionArgs, group: pulumi.Output[str]) -> list[pulumi.Resource]:
        to_balancer = aws.vpc.SecurityGroupEgressRule(
            f"{name}-function-to-load-balancer",
            security_group_id=group,
            description="To the load balancer",
            ip_protocol="tcp",
            from_port=load_balancer.PORT,
            to_port=load_balancer.PORT,
            referenced_security_group_id=args.balancer_security_group,
            opts=pulumi.ResourceOptions(parent=self),
        )
        from_function = aws.vpc.SecurityGroupIngressRule(
            f"{name}-load-balancer-from-function",
            security_group_id=args.balancer_security_group,
            description="From the function alone",
            ip_protocol="tcp",
            from_port=load_balancer.PORT,
            to_port=load_balancer.PORT,
            referenced_security_group_id=group,
            opts=pulumi.ResourceOptions(parent=self),
        )
        to_table = aws.vpc.SecurityGroupEgressRule(
            f"{name}-function-to-dynamodb",
            security_group_id=group,
            description="To DynamoDB, through the endpoint of the network",
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            prefix_list_id=args.dynamodb_prefix_list,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return [to_balancer, from_function, to_table]


def _environment(args: FunctionArgs) -> Mapping[str, pulumi.Input[str]]:
    """Return the settings of the adapter and of the gateway."""
    return {
        "AWS_LAMBDA_EXEC_WRAPPER": WRAPPER,
        "AWS_LWA_INVOKE_MODE": "response_stream",
        "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
        "GATEWAY_REGISTRY": pulumi.Output.concat("dynamodb:", args.table),
        "GATEWAY_UPSTREAM": pulumi.Output.concat("http://", args.balancer_dns_name),
        "GATEWAY_PLAIN_TIMEOUT": PLAIN_TIMEOUT,
        "GATEWAY_ALLOWED_ORIGINS": args.allowed_origins,
        "PORT": PORT,
        **({} if args.domain is None else {"GATEWAY_DOMAIN": args.domain}),
    }
