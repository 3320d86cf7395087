"""The audit logs: the load balancer's access log and the network's flow log, in one S3 bucket."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.planning.gateway import AUDIT_DAYS

INCOMPLETE_DAYS = 7
"""Days after which S3 deletes the parts of an upload that did not complete."""
BALANCER, NETWORK = "load-balancer", "network"
"""Folders of the bucket: for the access log, and for the flow log."""
EVERY_TEN_MINUTES = 600
"""Seconds that one flow record covers: the longest period that AWS offers, so that there are few records."""


@dataclass(frozen=True, kw_only=True)
class AuditArgs:
    """Which logs are kept."""

    beside: pulumi.Input[str]
    """An ARN of the region and account in which the logs are written."""
    vpc_id: pulumi.Input[str] | None
    """The network whose flows are logged; `None`: no network, because others use it too."""


class Audit(pulumi.ComponentResource):
    """A private bucket and the network's flow log. The load balancer writes its access log to the same bucket.

    S3 costs less than CloudWatch, and a flow log to S3 needs no role. S3 encrypts the logs with its own keys. That is
    its default, and a load balancer supports no other keys. The bucket stays when the stack is destroyed and when
    `audit` is turned off, because logs are needed most after something went wrong. S3 deletes each log when it expires.
    """

    bucket: pulumi.Output[str]
    """Its name, known once AWS may write to it."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:audit:Audit", name, None, opts)
        bucket = aws.s3.Bucket(
            f"{name}-audit",
            # A gateway's name may begin with `xn--`, which S3 does not allow. A prefix has at most 37 characters.
            bucket_prefix=f"servestack-{name[:25].rstrip('-')}-",
            tags={"Name": f"{name}-audit"},
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-audit",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        expiring = aws.s3.BucketLifecycleConfiguration(
            f"{name}-audit",
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="expire",
                    status="Enabled",
                    filter=aws.s3.BucketLifecycleConfigurationRuleFilterArgs(),
                    expiration=aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=AUDIT_DAYS),
                    abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                        days_after_initiation=INCOMPLETE_DAYS
                    ),
                )
            ],
            opts=pulumi.ResourceOptions(parent=self, retain_on_delete=True),
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-audit",
            bucket=bucket.id,
            policy=pulumi.Output.all(bucket.arn, args.beside).apply(
                lambda arns: policies.document(*policies.deliver_logs(arns[0], arns[1], BALANCER, NETWORK))
            ),
            # S3 refuses a change of a bucket while another change is in progress.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private, expiring], retain_on_delete=True),
        )
        if args.vpc_id is not None:
            aws.ec2.FlowLog(
                f"{name}-network",
                vpc_id=args.vpc_id,
                traffic_type="ALL",
                log_destination_type="s3",
                log_destination=pulumi.Output.concat(bucket.arn, f"/{NETWORK}/"),
                max_aggregation_interval=EVERY_TEN_MINUTES,
                tags={"Name": name},
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
        # What writes to the bucket waits until its policy exists.
        self.bucket = pulumi.Output.all(bucket.id, policy.id).apply(lambda ids: str(ids[0]))
        self.register_outputs({"bucket": self.bucket})
