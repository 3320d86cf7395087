"""Everything that IAM is asked for, in one golden file, and why an Allow may be on `*`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.aws.recording import Recording

GOLDEN = Path(__file__).parent / "iam.json"
REASONS = {
    "LambdaAttachesItToTheVpc": "Lambda looks for these actions on every resource (configuration-vpc-permissions)",
    "SessionManagerKnowsNoResources": "ssmmessages has no resources, and an instance's id is not known before it runs",
}
"""Why an Allow is on `*`, by the statement's Sid. A closed list: another one needs a reason of its own."""
FORBIDDEN = ("AmazonSSMManagedInstanceCore", "AdministratorAccess", "PowerUserAccess", "FullAccess")


def test_roles_policies_and_attachments_are_those_of_the_golden_file(gateway: Recording, service: Recording) -> None:
    asked = {**asked_for(gateway), **asked_for(service)}
    assert asked == json.loads(GOLDEN.read_text()), (
        f"if this is meant, {GOLDEN.name} becomes:\n{json.dumps(asked, indent=1)}"
    )


def test_every_allow_on_everything_has_its_reason(gateway: Recording, service: Recording) -> None:
    wide = [
        statement.get("Sid", statement)
        for recording in (gateway, service)
        for policy in policies(recording).values()
        for statement in policy["Statement"]
        if statement["Effect"] == "Allow" and "*" in flat(statement.get("Resource", "*"))
    ]
    assert sorted(wide) == sorted(REASONS), "each once, and none without its reason"


def test_no_action_is_a_pattern_and_no_statement_says_what_is_not_meant(gateway: Recording, service: Recording) -> None:
    statements = [
        statement
        for recording in (gateway, service)
        for policy in policies(recording).values()
        for statement in policy["Statement"]
    ]
    assert [one for one in statements if {"NotAction", "NotResource", "NotPrincipal"} & one.keys()] == []
    assert [action for one in statements for action in flat(one["Action"]) if "*" in action] == []


def test_no_policy_of_aws_is_attached_that_grants_more_than_is_needed(gateway: Recording, service: Recording) -> None:
    attached = [
        str(one.inputs["policyArn"])
        for recording in (gateway, service)
        for one in recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    ]
    assert attached == ["arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"]
    roles = [one for recording in (gateway, service) for one in recording.of("aws:iam/role:Role")]
    assert [one.name for one in roles if {"managedPolicyArns", "inlinePolicies"} & one.inputs.keys()] == []


def test_a_replica_reads_its_own_parameters_and_writes_its_own_state(service: Recording) -> None:
    policy = policies(service)["yellow-cat-1-replica"]
    read, logs, state, _ = policy["Statement"]
    parameter = service.one("aws:ssm/parameter:Parameter").inputs["name"]
    assert read["Resource"].endswith(f":parameter{parameter.removesuffix('HUGGING_FACE_HUB_TOKEN')}*")
    assert logs["Resource"].endswith(f"{service.made(service.one('aws:cloudwatch/logGroup:LogGroup')).id}:*")
    assert state["Condition"]["ForAllValues:StringEquals"] == {"dynamodb:LeadingKeys": ["state#yellow-cat-1"]}


def test_a_replica_has_nothing_but_instances_of_its_own_group_replaced(service: Recording) -> None:
    group = service.made(service.one("aws:autoscaling/group:Group"))
    assert policies(service)["yellow-cat-1-replace"]["Statement"] == [
        {"Effect": "Allow", "Action": ["autoscaling:SetInstanceHealth"], "Resource": group.outputs["arn"]}
    ]


def test_a_replica_pulls_from_the_repository_of_its_image_and_from_no_other(deploy: Callable[..., Recording]) -> None:
    image = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/team/tgi:3"
    made = policies(deploy(f"type: service\nimage: {image}\nport: 80\nresources: {{gpu: 24GB}}\n"))
    statements = [one for policy in made.values() for one in policy["Statement"]]
    login, pull = [one for one in statements if "ecr:" in str(one["Action"])]
    assert login == {
        "Sid": "EcrLoginKnowsNoRepository",
        "Effect": "Allow",
        "Action": ["ecr:GetAuthorizationToken"],
        "Resource": "*",
    }
    assert pull == {
        "Effect": "Allow",
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "Resource": "arn:aws:ecr:eu-central-1:210987654321:repository/team/tgi",
    }


def test_a_login_of_the_configuration_leaves_the_role_without_ecr(deploy: Callable[..., Recording]) -> None:
    image = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/team/tgi:3"
    login = "registry_auth: {username: AWS, password: p}\n"
    made = deploy(f"type: service\nimage: {image}\nport: 80\nresources: {{gpu: 24GB}}\n{login}")
    assert "ecr:" not in json.dumps(policies(made))


def asked_for(recording: Recording) -> dict[str, Any]:
    """Trust, policy or attachment by type and name, without what AWS or the stand-in numbers."""
    found: dict[str, Any] = {
        f"trust of {one.name}": json.loads(str(one.inputs["assumeRolePolicy"]))
        for one in recording.of("aws:iam/role:Role")
    }
    found |= {f"policy of {name}": policy for name, policy in policies(recording).items()}
    found |= {
        f"attached to {one.name}": one.inputs["policyArn"]
        for one in recording.of("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
    }
    text = json.dumps(found)
    for one in recording.cloud.records.all:
        if one.type in ("aws:cloudwatch/logGroup:LogGroup", "aws:dynamodb/table:Table"):
            text = text.replace(one.id, f"<{one.urn.rpartition('::')[2]}>")
        if one.type == "aws:autoscaling/group:Group":
            text = text.replace(str(one.outputs["arn"]), "<the ARN of the group>")
    return json.loads(text)


def policies(recording: Recording) -> dict[str, Any]:
    return {one.name: json.loads(str(one.inputs["policy"])) for one in recording.of("aws:iam/rolePolicy:RolePolicy")}


def flat(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
