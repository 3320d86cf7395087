"""Policy documents, as the JSON text that IAM takes, and every statement that the roles here have.

An `Allow` on `*` exists only where AWS offers nothing narrower. Its `Sid` names the reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.planning.table_items import LIMIT, REGISTRY, state_partition

Statement = Mapping[str, Any]
_LEADING = "dynamodb:LeadingKeys"
"""The partition keys of a request (amazondynamodb/latest/developerguide/specifying-conditions.html)."""


def document(*statements: Statement) -> str:
    """Return a policy of these statements."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def assumed_by(service: str) -> str:
    """Return the trust policy of a role that an AWS service assumes, such as `lambda`."""
    principal = {"Service": f"{service}.amazonaws.com"}
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})


def write_logs(log_group_arn: str) -> Statement:
    """New streams and events in one log group."""
    return _allow(["logs:CreateLogStream", "logs:PutLogEvents"], f"{log_group_arn}:*")


def read_registry(table_arn: str) -> Statement:
    """The gateway reads the registry and what replicas say of themselves, and does not write to them."""
    keys = {_LEADING: [REGISTRY, state_partition("*")]}
    return _allow(["dynamodb:Query"], table_arn, {"ForAllValues:StringLike": keys})


def count_limits(table_arn: str) -> Statement:
    """The gateway counts requests for limits in partitions of their own. It reads what they hold only from the answers
    to its updates."""
    return _allow(["dynamodb:UpdateItem"], table_arn, {"ForAllValues:StringLike": {_LEADING: [f"{LIMIT}*"]}})


def write_state(table_arn: str, run: str) -> Statement:
    """The replicas of a run say how far they are, and what they measure."""
    return _allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], table_arn, _partition(state_partition(run)))


def read_parameters(arn: str) -> Statement:
    """The replicas of a run read its parameters. AWS's own key for SSM needs no statement."""
    return _allow(["ssm:GetParameter"], arn)


def read_files(arn: str) -> Statement:
    """The replicas of a run read what was stored for it."""
    return _allow(["s3:GetObject"], arn)


def replace_instance(group_arn: str, *, may_end: bool) -> Sequence[Statement]:
    """A replica has itself replaced. IAM knows only the whole group, not one instance of it. `may_end`: it may also end
    the service, but not let the group grow beyond its largest size (service-authorization: autoscaling)."""
    replace = _allow(["autoscaling:SetInstanceHealth"], group_arn)
    if not may_end:
        return (replace,)
    shrinks = {"NumericEquals": {"autoscaling:MinSize": "0"}, "Null": {"autoscaling:MaxSize": "true"}}
    return replace, _allow(["autoscaling:UpdateAutoScalingGroup"], group_arn, shrinks)


def pull_images(repository_arns: Sequence[str]) -> Sequence[Statement]:
    """The replicas of a run pull their images from these repositories of ECR, and nothing else. The password for
    `docker login` belongs to no repository (service-authorization: ecr)."""
    return (
        {"Sid": "EcrLoginKnowsNoRepository", **_allow(["ecr:GetAuthorizationToken"], "*")},
        *(_allow(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], arn) for arn in repository_arns),
    )


def attach_to_network() -> Sequence[Statement]:
    """Lambda gives the function its addresses in the VPC with the function's role, and looks for these actions on every
    resource (lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions). Only Lambda can
    use them: a second statement denies them to the code of the function, as AWS advises there."""
    actions = [
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    ]
    allowed = {"Sid": "LambdaAttachesItToTheVpc", **_allow(actions, "*")}
    within = {"Null": {"lambda:SourceFunctionArn": "false"}}
    return allowed, {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": within}


def deliver_logs(bucket_arn: str, beside: str, balancer: str, network: str) -> Sequence[Statement]:
    """The policy of the audit bucket. Load balancers may write access logs, and the network its flow log, each to its
    folder and only for this account, whose number is in the path. Every request must use TLS.

    Sources: elasticloadbalancing/latest/application/enable-access-logging.html and
    vpc/latest/userguide/flow-logs-s3-permissions.html. `beside`: an ARN of the region and account. `balancer`,
    `network`: the folders.
    """
    _, partition, _, region, account, _ = beside.split(":", 5)
    flow_logs = {"Service": "delivery.logs.amazonaws.com"}
    of_account = {
        "StringEquals": {"aws:SourceAccount": account},
        "ArnLike": {"aws:SourceArn": f"arn:{partition}:logs:{region}:{account}:*"},
    }
    owned = {**of_account["StringEquals"], "s3:x-amz-acl": "bucket-owner-full-control"}
    return (
        {
            "Sid": "LoadBalancersWrite",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            **_allow(["s3:PutObject"], f"{bucket_arn}/{balancer}/AWSLogs/{account}/*"),
        },
        {
            "Sid": "AWSLogDeliveryWrite",
            "Principal": flow_logs,
            **_allow(
                ["s3:PutObject"],
                f"{bucket_arn}/{network}/AWSLogs/{account}/*",
                {**of_account, "StringEquals": owned},
            ),
        },
        {
            "Sid": "AWSLogDeliveryAclCheck",
            "Principal": flow_logs,
            **_allow(["s3:GetBucketAcl", "s3:ListBucket"], bucket_arn, of_account),
        },
        refuse_without_tls(bucket_arn),
    )


def refuse_without_tls(bucket_arn: str) -> Statement:
    """Every request to a bucket must use TLS."""
    return {
        "Sid": "NobodyWithoutTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [bucket_arn, f"{bucket_arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def open_sessions() -> Statement:
    """Session Manager's messages, which have no resources. AmazonSSMManagedInstanceCore is not used, because it would
    let a replica read every parameter of the account (service-authorization: ssmmessages, ssm)."""
    actions = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel",
        "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel",
        "ssmmessages:OpenDataChannel",
    ]
    return {"Sid": "SessionManagerKnowsNoResources", **_allow(actions, "*")}


def arn_beside(arn: str, service: str, resource: str) -> str:
    """Return the ARN of another resource in the partition, region and account of a regional `arn`."""
    _, partition, _, region, account, _ = arn.split(":", 5)
    return f"arn:{partition}:{service}:{region}:{account}:{resource}"


def of_aws(name: str, arn: str) -> str:
    """Return the ARN of a policy of AWS, in the partition of `arn`."""
    return f"arn:{arn.split(':')[1]}:iam::aws:policy/{name}"


def _allow(actions: Sequence[str], resource: str, condition: Mapping[str, Any] | None = None) -> Statement:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    return statement if condition is None else {**statement, "Condition": condition}


def _partition(key: str) -> Mapping[str, Any]:
    return {"ForAllValues:StringEquals": {_LEADING: [key]}}
