"""The table of reasons why AWS cannot start an instance, against real messages of AWS."""

from __future__ import annotations

import pytest

from infra.readiness.launch_failures import explain_launch_failure

UNHEALTHY = "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
MESSAGES = [
    (
        "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that "
        "the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request "
        "an adjustment to this limit. Launching EC2 instance failed.",
        "the account has no vCPU quota for on-demand instances of this family (the limit is 0)",
        0,
    ),
    (
        f"{UNHEALTHY}Client.VolumeLimitExceeded: Volume limit exceeded",
        "the account's quota for EBS volumes is used up",
        0,
    ),
    (
        "VolumeLimitExceeded: You have exceeded your maximum gp3 storage limit of 50 TiB in this region. Please "
        "contact AWS Support to request an Elastic Block Store service limit increase.",
        "the account's quota for EBS volumes is used up",
        0,
    ),
    (
        "MaxIOPSLimitExceeded - Maximum number of active volumes iops, 100000, exceeded. Launching EC2 instance "
        "failed.",
        "the account's quota for the IOPS of EBS volumes is used up",
        0,
    ),
    (
        "InsufficientVolumeCapacity - There is not enough capacity to fulfill your EBS volume request in the "
        "Availability Zone you requested. Launching EC2 instance failed.",
        "AWS has no capacity for EBS volumes in these zones now",
        None,
    ),
    (
        "ReservationCapacityExceeded - The requested reservation does not have sufficient compatible and available "
        "capacity for this request. Launching EC2 instance failed.",
        "the reservation has no free instance of this type in this zone now",
        None,
    ),
    (
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - We currently do not have sufficient "
        "p5en.48xlarge capacity in the Availability Zone you requested (us-east-1a). Our system will be working on "
        "provisioning additional capacity. Launching EC2 instance failed.",
        "AWS has no capacity for these P instances on demand now; it sells most of them as Capacity Blocks, which must "
        "be bought before",
        None,
    ),
    (
        "InvalidParameterValue - The market type (purchasing) option is not valid. Choose a different market type and "
        "try again.",
        "AWS starts these instance types only in a Capacity Block that was bought before",
        0,
    ),
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


def test_what_the_group_says_of_an_instance_that_ended_at_once_is_left_out() -> None:
    assert explain_launch_failure(f"{UNHEALTHY}Client.Other: x").words == "Client.Other: x"


def test_no_message_is_said_to_be_none() -> None:
    assert explain_launch_failure("").what == "AWS gives no reason"
