"""The table of reasons why AWS cannot start an instance, against real messages of AWS."""

from __future__ import annotations

import pytest

from infra.readiness.launch_failures import explain_launch_failure

MESSAGES = [
    (
        "Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. "
        "Launching EC2 instance failed.",
        "the account's vCPU quota for spot instances of this family is used up",
        180,
    ),
    (
        "You have requested more vCPU capacity than your current vCPU limit of 384 allows for the instance bucket that "
        "the specified instance type belongs to. Launching EC2 instance failed.",
        "the account's vCPU quota for on-demand instances of this family is used up",
        180,
    ),
    (
        "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity due to your request "
        "configuration. Please adjust your request and try again. Launching EC2 instance failed.",
        "AWS has no capacity for these instance types in these zones now",
        None,
    ),
    (
        "There is no Spot capacity available that matches your request. Launching EC2 instance failed.",
        "AWS has no capacity for these instance types in these zones now",
        None,
    ),
    (
        "Your Spot request price of 0.015 is lower than the minimum required Spot request fulfillment price of 0.0735.",
        "max_price is below the current spot price",
        300,
    ),
    (
        "The image id 'ami-4edb0327' does not exist. Launching EC2 instance failed.",
        "the machine image does not exist or cannot be run",
        0,
    ),
    (
        "The architecture 'arm64' of the specified instance type does not match the architecture 'x86_64' of the "
        "specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
        "the machine image is for another processor architecture",
        0,
    ),
    ("Invalid IAM Instance Profile name. Launching EC2 instance failed.", "the instance profile does not exist", 180),
    (
        "AuthFailure.ServiceLinkedRoleCreationNotPermitted - The provided credentials do not have permission to create "
        "the service-linked role for EC2 Spot Instances.",
        "the account has no service-linked role for spot instances, and Auto Scaling is not allowed to create it",
        180,
    ),
    (
        "Authentication Failure. Launching EC2 instance failed.",
        "Auto Scaling's service-linked role is not allowed to start instances",
        180,
    ),
    (
        "Could not launch On-Demand Instances. InvalidParameterCombination - The specified instance type is not "
        "eligible for Free Tier. Launching EC2 instance failed.",
        "the account is on AWS's free plan, which has no GPU instances",
        0,
    ),
    (
        "This account is currently blocked and not recognized as a valid account. Launching EC2 instance failed.",
        "AWS has blocked the account",
        0,
    ),
    (
        "The security group sg-1 does not exist. Launching EC2 instance failed.",
        "something that the launch template of the replicas names no longer exists",
        0,
    ),
    (
        "Client.InternalError: Client error on launch.",
        "Auto Scaling cannot use the key that encrypts the account's volumes",
        120,
    ),
    (
        "Your requested instance type (g5.xlarge) is not supported in your requested Availability Zone (us-east-1e).",
        "AWS does not offer these instance types in these zones",
        300,
    ),
]


@pytest.mark.parametrize(("message", "what", "patience"), MESSAGES, ids=[message[0][:40] for message in MESSAGES])
def test_a_message_of_aws_is_a_cause(message: str, what: str, patience: float | None) -> None:
    failure = explain_launch_failure(message)
    assert (failure.what, failure.patience) == (what, patience)
    assert failure.remedy, "a cause of the table has a remedy"


def test_an_unknown_message_is_shown_as_it_is_and_waited_out() -> None:
    failure = explain_launch_failure("The moon is full. Launching EC2 instance failed.")
    assert (failure.what, failure.remedy, failure.patience) == ("The moon is full", None, None)


def test_what_only_aws_can_read_is_left_out() -> None:
    refused = "You are not authorized to perform this operation."
    failure = explain_launch_failure(f"{refused} Encoded authorization failure message: AbC-{'x' * 900}")
    assert (failure.words, failure.patience) == (refused, 180)


def test_no_message_is_said_to_be_none() -> None:
    assert explain_launch_failure("").what == "AWS gives no reason"
