"""Images in ECR, and what the plan says about them."""

from __future__ import annotations

import pytest

from infra.planning.private_ecr import EcrRepository, ecr_repository, pulled_by_role
from tests.boot.planned import planned

ACCOUNT = "123456789012"


def found(region: str, name: str = "tgi") -> EcrRepository:
    return EcrRepository(account=ACCOUNT, region=region, name=name)


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/tgi", found("eu-west-1")),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/a/b-c/tgi:3.1", found("eu-west-1", "a/b-c/tgi")),
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/tgi@sha256:{'0' * 64}", found("us-east-1")),
        (f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/tgi:3@sha256:{'0' * 64}", found("us-east-1")),
        (f"{ACCOUNT}.dkr.ecr-fips.us-gov-west-1.amazonaws.com/tgi:3", found("us-gov-west-1")),
        (f"{ACCOUNT}.dkr.ecr.cn-north-1.amazonaws.com.cn/tgi:3", found("cn-north-1")),
        (f"{ACCOUNT}.dkr-ecr.eu-west-1.on.aws/tgi:3", found("eu-west-1")),
        ("public.ecr.aws/team/tgi:3", None),
        ("ghcr.io/huggingface/text-generation-inference:3", None),
        (f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com.evil.example/tgi", None),
        (f"x{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/tgi", None),
        ("nginx", None),
    ],
)
def test_the_repository_is_read_from_the_image(image: str, repository: EcrRepository | None) -> None:
    assert ecr_repository(image) == repository


IMAGE = f"image: {ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/team/tgi:3"
SERVICE = f"type: service\n{IMAGE}\nport: 80\nresources: {{gpu: 24GB}}\n"


def test_an_image_in_ecr_needs_no_login_and_the_plan_says_whose_role_pulls_it() -> None:
    plan = planned(service=SERVICE)
    assert pulled_by_role(plan.container) == found("eu-west-1", "team/tgi")
    assert plan.notes == (
        "The image is in ECR: the role of the replicas may pull from the repository team/tgi of the account "
        "123456789012, and from no other. If that is not the account of the stack, the policy of the repository must "
        "allow it.",
    )


def test_a_login_for_ecr_is_used_and_the_plan_says_that_it_expires() -> None:
    plan = planned("registry_auth: {username: AWS, password: p}\n", service=SERVICE)
    assert pulled_by_role(plan.container) is None
    assert plan.notes == (
        "registry_auth: a password of ECR is good for 12 hours, and replicas that start later cannot use it. Remove "
        "registry_auth: then each replica logs in by its own role, with a new password at each pull.",
    )
