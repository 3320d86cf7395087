"""The role of a service's replicas, and the secrets that it may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.planning import boot
from infra.planning.private_ecr import EcrRepository


@dataclass(frozen=True, kw_only=True)
class ReplicaRoleArgs:
    """The run, and what its replicas write."""

    run: str
    log_group_arn: pulumi.Input[str]
    table: pulumi.Input[str]
    """Name of the registry's table."""
    pulls: Sequence[EcrRepository]
    """Where they pull their images from by this role."""
    files_bucket: pulumi.Input[str | None]
    """The bucket that they read their files from; `None`: they have none."""
    after: pulumi.Resource
    """What is there before anything of a service is made."""


class ReplicaRole(pulumi.ComponentResource):
    """A role with an inline policy: its own run's parameters, its log group, its state items, Session Manager's
    messages, the repository of its image, if that is in ECR, and its files. The container cannot take the role, because
    the instance's metadata is one network hop too far away."""

    name: pulumi.Output[str]
    profile_arn: pulumi.Output[str]
    policy: pulumi.Resource
    """What starts instances waits for it."""

    def __init__(self, name: str, args: ReplicaRoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:replica_role:ReplicaRole", name, None, opts)
        role = aws.iam.Role(
            f"{name}-replica",
            name_prefix=f"{name[:28].rstrip('-')}-replica-",
            assume_role_policy=policies.assumed_by("ec2"),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
        )
        self.policy = aws.iam.RolePolicy(
            f"{name}-replica",
            role=role.name,
            policy=pulumi.Output.all(args.log_group_arn, args.table, args.files_bucket).apply(
                lambda known: replica_policy(
                    args.run, log_group_arn=known[0], table=known[1], pulls=args.pulls, files_bucket=known[2]
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        profile = aws.iam.InstanceProfile(f"{name}-replica", role=role.name, opts=pulumi.ResourceOptions(parent=self))
        self.name = role.name
        self.profile_arn = profile.arn
        self.register_outputs({"profile_arn": self.profile_arn})


@dataclass(frozen=True, kw_only=True)
class SecretsArgs:
    """The values that are secret."""

    run: str
    table: pulumi.Input[str]
    """Name of the registry's table."""
    parameters: Sequence[boot.Parameter]
    after: pulumi.Resource
    """What is there before anything of a service is made."""


class Secrets(pulumi.ComponentResource):
    """A SecureString for each value that replicas read when they start. Replicas read the versions that their user data
    names, so that a changed secret is a new launch template. The tier is explicit, because the default tier of an
    account can cost money."""

    versions: pulumi.Output[Mapping[str, int]]
    """By the parameter's name within the run's prefix."""

    def __init__(self, name: str, args: SecretsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:replica_role:Secrets", name, None, opts)
        prefix = pulumi.Output.from_input(args.table).apply(lambda table: boot.parameter_prefix(table, args.run))
        versions: dict[str, pulumi.Output[int]] = {}
        for parameter in args.parameters:
            made = aws.ssm.Parameter(
                f"{name}-{parameter.name}",
                name=pulumi.Output.concat(prefix, parameter.name),
                type="SecureString",
                tier="Standard",
                value=pulumi.Output.secret(parameter.value.reveal()),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
            )
            versions[parameter.name] = made.version.apply(int)
        self.versions = pulumi.Output.from_input(cast("Mapping[str, int]", versions))
        self.register_outputs({})


def replica_policy(
    run: str, *, log_group_arn: str, table: str, pulls: Sequence[EcrRepository] = (), files_bucket: str | None = None
) -> str:
    """Return the policy of the replicas of `run`."""
    partition = log_group_arn.split(":")[1]
    repositories = [f"arn:{partition}:ecr:{one.region}:{one.account}:repository/{one.name}" for one in pulls]
    image = policies.pull_images(repositories) if repositories else ()
    files: Sequence[policies.Statement] = ()
    if files_bucket is not None:
        files = (policies.read_files(f"arn:{partition}:s3:::{files_bucket}/{boot.object_key(run, '*')}"),)
    return policies.document(
        policies.read_parameters(
            policies.arn_beside(log_group_arn, "ssm", f"parameter{boot.parameter_prefix(table, run)}*")
        ),
        policies.write_logs(log_group_arn),
        policies.write_state(policies.arn_beside(log_group_arn, "dynamodb", f"table/{table}"), run),
        policies.open_sessions(),
        *image,
        *files,
    )
