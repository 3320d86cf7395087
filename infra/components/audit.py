"""Who called whom: the load balancer's access log and the network's flow log, kept in a bucket of their own."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.planning.gateway import AUDIT_DAYS

INCOMPLETE_DAYS = 7
"""Days after which S3 drops the parts of an upload that never ended."""
BALANCER, NETWORK = "load-balancer", "network"
"""Folders of the bucket: the access log, and the flow log."""
EVERY_TEN_MINUTES = 600
"""Seconds that one flow record may cover: AWS's longest, so that there are few."""


@dataclass(frozen=True, kw_only=True)
class AuditArgs:
    """Whose logs are kept."""

    beside: pulumi.Input[str]
    """An ARN of the region and account in which the logs are written."""
    vpc_id: pulumi.Input[str] | None
    """The network whose flows are logged; `None`: none, as where the network is somebody else's too."""


class Audit(pulumi.ComponentResource):
    """A private bucket, and the flow log of the network in it; the load balancer writes its access log there too.

    In S3 both cost less than in CloudWatch, and a flow log there needs no role. S3 encrypts them with its own keys: it
    does so where nothing else is said, and a load balancer's log can have no others. The bucket stays when the stack
    goes, or when nothing is to be logged any more: its logs are then what is left to look at, and each is deleted when
    its time is over.
    """

    bucket: pulumi.Output[str]
    """Its name, once it can be written to."""

    def __init__(self, name: str, args: AuditArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:audit:Audit", name, None, opts)
        bucket = aws.s3.Bucket(
            f"{name}-audit",
            # S3 takes no name that begins with `xn--`, as a gateway's may, and a prefix of 37 characters at most.
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
            # S3 refuses one change of a bucket while another is under way.
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
        # Whoever writes into the bucket waits until its policy is there.
        self.bucket = pulumi.Output.all(bucket.id, policy.id).apply(lambda ids: str(ids[0]))
        self.register_outputs({"bucket": self.bucket})
