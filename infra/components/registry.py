"""The table that the gateway routes by, and the API keys in it."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from gateway_lambda.registry import record
from infra.planning.api_key import ApiKey
from infra.planning.table_items import EXPIRES, PARTITION_KEY, SORT_KEY, key_item

KEY_BYTES = 32
KEY_PREFIX = "ss-"
"""So that a key is known for one where it should not be."""


@dataclass(frozen=True, kw_only=True)
class RegistryArgs:
    """The content of the table at its start."""

    keys: Sequence[ApiKey]
    """The API keys; `alice@2` beside `alice` is a second key of the same holder."""
    protect: bool
    """Whether Pulumi and AWS refuse to delete the table: the items of every service are in it."""


class Registry(pulumi.ComponentResource):
    """A table that costs only by reads and writes, and a random key for each name in `keys`. The table has only the
    SHA-256 of a key. A key stays the same as long as its name is in `keys`."""

    table: pulumi.Output[str]
    """Its name."""
    table_arn: pulumi.Output[str]
    api_keys: pulumi.Output[Mapping[str, str]]
    """By name; secret."""

    def __init__(self, name: str, args: RegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("servestack:registry:Registry", name, None, opts)
        table = aws.dynamodb.Table(
            f"{name}-table",
            billing_mode="PAY_PER_REQUEST",
            hash_key=PARTITION_KEY,
            range_key=SORT_KEY,
            attributes=[
                aws.dynamodb.TableAttributeArgs(name=PARTITION_KEY, type="S"),
                aws.dynamodb.TableAttributeArgs(name=SORT_KEY, type="S"),
            ],
            ttl=aws.dynamodb.TableTtlArgs(attribute_name=EXPIRES, enabled=True),
            # Items that were deleted or overwritten by mistake can be restored, as of any second of the last 35 days.
            point_in_time_recovery=aws.dynamodb.TablePointInTimeRecoveryArgs(enabled=True),
            deletion_protection_enabled=args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        api_keys: dict[str, pulumi.Output[str]] = {}
        for key in args.keys:
            made = random.RandomBytes(
                f"{name}-key-{key.name}", length=KEY_BYTES, opts=pulumi.ResourceOptions(parent=self)
            )
            api_keys[key.name] = made.base64.apply(api_key)
            aws.dynamodb.TableItem(
                f"{name}-key-{key.name}",
                table_name=table.name,
                hash_key=PARTITION_KEY,
                range_key=SORT_KEY,
                item=api_keys[key.name].apply(lambda text, key=key: key_item(known_key(key, text))),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.table = table.name
        self.table_arn = table.arn
        self.api_keys = pulumi.Output.secret(cast("Mapping[str, str]", api_keys))
        self.register_outputs({"table": self.table})


def api_key(random_bytes: str) -> str:
    """Return the key that random bytes in base64 make. None of its characters needs quotes in a shell or a URL."""
    return KEY_PREFIX + base64.urlsafe_b64encode(base64.b64decode(random_bytes)).decode().rstrip("=")


def known_key(key: ApiKey, text: str) -> record.Key:
    """Return the record of a key, as the gateway reads it."""
    return record.Key(
        name=key.name,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        runs=None if key.runs is None else list(key.runs),
        expires=None if key.expires is None else int(key.expires.timestamp()),
        requests_per_minute=key.requests_per_minute,
        tokens_per_day=key.tokens_per_day,
        max_concurrent=key.max_concurrent,
    )
