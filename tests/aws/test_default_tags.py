"""The provider's default tags: what they reach, and what a change of them does."""

from __future__ import annotations

import json

import pulumi
import pulumi_aws as aws

from tests.aws.recording import attempt, record

REGION = "eu-central-1"


def test_default_tags_reach_what_takes_tags_and_a_change_of_them_updates_it() -> None:
    def program(team: str) -> None:
        tags = aws.ProviderDefaultTagsArgs(tags={"team": team, "Name": "all"})
        options = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION, default_tags=tags))
        vpc = aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", tags={"Name": "net"}, opts=options)
        aws.ec2.RouteTable("routes", vpc_id=vpc.id, opts=options)
        aws.iam.RolePolicyAttachment(
            "attached", role=_role(options).name, policy_arn="arn:aws:iam::aws:policy/ReadOnlyAccess", opts=options
        )

    first = record(lambda: program("research"), stack="dev")
    all_tags = {one.name: first.made(one).outputs.get("tagsAll") for one in first.resources}
    assert all_tags == {
        "net": {"team": "research", "Name": "net"},
        "routes": {"team": "research", "Name": "all"},
        "role": {"team": "research", "Name": "all"},
        "attached": None,
    }
    assert record(lambda: program("research"), stack="dev", cloud=first.cloud).changes() == {}
    second = record(lambda: program("serving"), stack="dev", cloud=first.cloud)
    assert second.changes() == {"Vpc net": "update", "RouteTable routes": "update", "Role role": "update"}


def test_default_tags_that_aws_refuses_are_refused() -> None:
    def program() -> None:
        tags = aws.ProviderDefaultTagsArgs(tags={f"tag-{number}": "" for number in range(50)})
        options = pulumi.ResourceOptions(provider=aws.Provider("aws", region=REGION, default_tags=tags))
        aws.ec2.Vpc("net", cidr_block="10.0.0.0/16", tags={"Name": "net"}, opts=options)

    (error,) = attempt(program, stack="dev").errors
    assert error.endswith("tags: TooManyTags: a resource has at most 50 tags, got 51")


def _role(options: pulumi.ResourceOptions) -> aws.iam.Role:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    return aws.iam.Role("role", assume_role_policy=policy, opts=options)
