"""The role of the gateway's function, and the log that it writes."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components import policies

RETENTION_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class FunctionRoleArgs:
    """The table that the function reads, and counts limits in."""

    table_arn: pulumi.Input[str]


class FunctionRole(pulumi.ComponentResource):
    """A role with one inline policy: the registry, the counters of limits, its own log group, its addresses in the VPC.
    Lambda uses this role to delete the function's network interfaces, some time after the function. Without the role,
    they would stay forever (lambda/latest/dg/configuration-vpc.html). So everything that these interfaces keep in use
    is created after the policy, and deleted before it."""

    arn: pulumi.Output[str]
    log_group: pulumi.Output[str]
    """Its name."""
    policy: pulumi.Resource

    def __init__(self, name: str, args: FunctionRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:function_role:FunctionRole", name, None, opts)
        logs = aws.cloudwatch.LogGroup(
            f"{name}-function",
            name_prefix=f"/servestack/{name}/function-",
            retention_in_days=RETENTION_DAYS,
            opts=pulumi.ResourceOptions(parent=self),
        )
        role = aws.iam.Role(
            f"{name}-function",
            assume_role_policy=policies.assumed_by("lambda"),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.policy = aws.iam.RolePolicy(
            f"{name}-function",
            role=role.name,
            policy=pulumi.Output.all(logs.arn, args.table_arn).apply(
                lambda arns: policies.document(
                    policies.write_logs(arns[0]),
                    policies.read_registry(arns[1]),
                    policies.count_limits(arns[1]),
                    *policies.attach_to_network(),
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.arn = role.arn
        self.log_group = logs.name
        self.register_outputs({"arn": self.arn})
