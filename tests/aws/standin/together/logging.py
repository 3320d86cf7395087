"""Whether AWS may write logs to a bucket: it checks the bucket's policy when the log is turned on."""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.aws.standin.paths import is_list, is_object, value_at
from tests.aws.standin.problem import Problem
from tests.aws.standin.records import Records
from tests.aws.standin.together import Questions
from tests.aws.standin.world import World

FLOW_LOG = "aws:ec2/flowLog:FlowLog"
_POLICY = "aws:s3/bucketPolicy:BucketPolicy"


def _balancer_may_write(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """elasticloadbalancing/latest/application/enable-access-logging.html."""
    bucket = value_at(inputs, "accessLogs.bucket")
    if not isinstance(bucket, str) or value_at(inputs, "accessLogs.enabled") is not True:
        return
    folder = "/".join(filter(None, (value_at(inputs, "accessLogs.prefix"), "AWSLogs", world.account, "x")))
    if not _admits(records, bucket, "logdelivery.elasticloadbalancing.amazonaws.com", "s3:PutObject", folder):
        reason = f"Access Denied for bucket: {bucket}. Please check S3bucket permission"
        yield Problem("accessLogs", f"InvalidConfigurationRequest: {reason}")


def _flows_may_be_written(records: Records, world: World, inputs: Mapping[str, Any], region: str) -> Iterator[Problem]:
    """vpc/latest/userguide/flow-logs-s3-permissions.html."""
    if value_at(inputs, "logDestinationType") != "s3":
        return
    destination = str(value_at(inputs, "logDestination"))
    bucket, _, folder = destination.rpartition(":")[2].partition("/")
    writes = f"{folder.rstrip('/')}/AWSLogs/{world.account}/x".lstrip("/")
    wanted = (("s3:PutObject", writes), ("s3:GetBucketAcl", ""))
    if not all(_admits(records, bucket, "delivery.logs.amazonaws.com", action, path) for action, path in wanted):
        reason = f"Access Denied for LogDestination: {destination}. Please check LogDestination permission"
        yield Problem("logDestination", reason)


def _admits(records: Records, bucket: str, service: str, action: str, path: str) -> bool:
    """Whether the policy of a bucket allows a service an action, conditions left out."""
    policy = records.find(_POLICY, "bucket", bucket)
    arn = f"arn:aws:s3:::{bucket}/{path}".rstrip("/")
    return policy is not None and any(
        statement["Effect"] == "Allow"
        and is_object(statement["Principal"])
        and service in _flat(statement["Principal"].get("Service", []))
        and action in _flat(statement["Action"])
        and any(fnmatch.fnmatchcase(arn, resource) for resource in _flat(statement["Resource"]))
        for statement in json.loads(policy.outputs["policy"])["Statement"]
    )


def _flat(value: Any) -> list[Any]:
    return value if is_list(value) else [value]


QUESTIONS: Questions = {FLOW_LOG: (_flows_may_be_written,), "aws:lb/loadBalancer:LoadBalancer": (_balancer_may_write,)}
