"""The bucket for `files` and `repos`: made by the gateway, filled by services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_aws as aws

from infra.components import policies
from infra.planning import boot


@dataclass(frozen=True, kw_only=True)
class FilesBucketArgs:
    """The name of the bucket."""

    prefix: str
    """How its name begins: at most 37 characters."""


class FilesBucket(pulumi.ComponentResource):
    """A private bucket. The replicas of each run can read what is under its prefix, and nobody else gets a permission.

    It is deleted with its objects, because these are copies of files on the machine that deploys.
    """

    bucket: pulumi.Output[str]
    """Its name, known once it is private."""

    def __init__(self, name: str, args: FilesBucketArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:files:FilesBucket", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self)
        bucket = aws.s3.Bucket(
            f"{name}-files",
            bucket_prefix=args.prefix,
            force_destroy=True,
            tags={"Name": f"{name}-files"},
            opts=inside,
        )
        private = aws.s3.BucketPublicAccessBlock(
            f"{name}-files",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=inside,
        )
        policy = aws.s3.BucketPolicy(
            f"{name}-files",
            bucket=bucket.id,
            policy=bucket.arn.apply(lambda arn: policies.document(policies.refuse_without_tls(arn))),
            # S3 refuses a change of a bucket while another change is in progress.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )
        self.bucket = pulumi.Output.all(bucket.id, policy.id).apply(lambda ids: str(ids[0]))
        self.register_outputs({"bucket": self.bucket})


@dataclass(frozen=True, kw_only=True)
class StoredFilesArgs:
    """What the replicas of a run fetch."""

    run: str
    bucket: pulumi.Input[str | None]
    """`None` only if there are no objects."""
    objects: Mapping[str, Path]
    """Files of this machine, by the hash of their content."""
    after: pulumi.Resource
    """What is there before anything of a service is made."""


class StoredFiles(pulumi.ComponentResource):
    """An object for each file, named after its content. So a changed file is a new object: the old one is deleted after
    the new replicas serve."""

    objects: list[pulumi.Resource]

    def __init__(self, name: str, args: StoredFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:files:StoredFiles", name, None, opts)
        self.objects = [
            aws.s3.BucketObjectv2(
                f"{name}-{hash_[:16]}",
                bucket=pulumi.Output.from_input(args.bucket).apply(lambda bucket: bucket or ""),
                key=boot.object_key(args.run, hash_),
                # With a file in place of a text, Pulumi's state has the hash and not the content.
                source=pulumi.FileAsset(str(path)),
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.after]),
            )
            for hash_, path in args.objects.items()
        ]
        self.register_outputs({})


def store_files(
    name: str, args: StoredFilesArgs, opts: pulumi.ResourceOptions | None = None
) -> Sequence[pulumi.Resource]:
    """Store what replicas fetch, if the plan has files for them, and return the resources that replicas wait for."""
    return StoredFiles(name, args, opts).objects if args.objects else []
