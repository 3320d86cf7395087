"""The items of the gateway's table: their keys and attributes, in the typed JSON in which they are written.

`pk=registry` holds what the gateway routes by, in one partition, so that one Query reads all of it: `claim#<run>`,
`model#<name>`, `run#<run>`, `key#<name>`. `pk=state#<run>` holds what a booting replica says of itself, an item an
instance (`sk`), and those items expire. Nothing else writes to an item that the program made: what the program did not
write would be drift. Only `model#<name>` is written by several stacks, those that share the name, each by a resource of
the project's own.
"""

from __future__ import annotations

import json

import msgspec

from gateway_lambda.registry import record

PARTITION_KEY = "pk"
SORT_KEY = "sk"
REGISTRY = "registry"
"""The partition of claims, runs and keys."""
CLAIM, MODEL, RUN, KEY = "claim#", "model#", "run#", "key#"
"""What the sort keys of that partition begin with."""
LONGEST_MODEL_NAME = 1000
"""Bytes; a sort key has 1024 (amazondynamodb/latest/developerguide/Constraints.html), `model#` among them."""
EXPIRES = "ttl"
"""Attribute of a state item: when it may go, in seconds since 1970."""
RECORD = "record"
"""Attribute with the object that the gateway reads, as JSON text."""
OWNER = "owner"
"""Attribute of a claim: the full name of the stack whose run it is."""


def state_partition(run: str) -> str:
    """The partition of what the replicas of a run say of themselves."""
    return f"state#{run}"


def claim_item(run: str, owner: str) -> str:
    """The item that makes a run name one stack's."""
    return _item(f"{CLAIM}{run}", OWNER, owner)


def routing_item(service: record.Service) -> str:
    """The item by which the gateway routes to a run."""
    return _item(f"{RUN}{service.run}", RECORD, _text(service))


def model_item(claim: record.ModelClaim) -> str:
    """The item that says whose a model name is."""
    return _item(f"{MODEL}{claim.model}", RECORD, _text(claim))


def key_item(key: record.Key) -> str:
    """The item by which the gateway knows an API key."""
    return _item(f"{KEY}{key.name}", RECORD, _text(key))


def _item(sort: str, attribute: str, value: str) -> str:
    attributes = {PARTITION_KEY: REGISTRY, SORT_KEY: sort, attribute: value}
    return json.dumps({name: {"S": text} for name, text in attributes.items()}, ensure_ascii=False)


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
