"""The items of the gateway's table: their keys and attributes, as the typed JSON that is written to the table.

The partition `pk=registry` holds everything that the gateway routes by, so that one Query reads all of it:
`claim#<run>`, `model#<name>`, `run#<run>`, `key#<name>`. The partition `pk=state#<run>` holds the state items of
starting replicas, one for each instance (`sk`), and they expire. Each partition `pk=limit#…` holds one counter of the
gateway's limits, and expires too. In `pk=registry`, only the program writes to the items that it created: Pulumi would
take other writes for drift. Several stacks write to `model#<name>` if they share the name, each with a resource of this
project.
"""

from __future__ import annotations

import json

import msgspec

from gateway_lambda.registry import record

PARTITION_KEY = "pk"
SORT_KEY = "sk"
REGISTRY = "registry"
"""The partition of claims, routing records and keys."""
CLAIM, MODEL, RUN, KEY = "claim#", "model#", "run#", "key#"
"""The prefixes of the sort keys of that partition."""
LONGEST_MODEL_NAME = 1000
"""Bytes; a sort key has 1024 (amazondynamodb/latest/developerguide/Constraints.html), `model#` among them."""
LIMIT = "limit#"
"""The first characters of the partition of each counter, as in gateway_lambda/registry/table_counters.py."""
COUNTER = "counter"
"""The sort key of a counter."""
EXPIRES = "ttl"
"""An attribute of a state item or a counter: the time after which DynamoDB can delete it, in seconds since 1970."""
RECORD = "record"
"""The attribute with the object that the gateway reads, as JSON text."""
OWNER = "owner"
"""An attribute of a claim: the full name of the stack that has the run."""


def state_partition(run: str) -> str:
    """Return the partition of the state items of a run's replicas."""
    return f"state#{run}"


def counter_partition(person: str) -> str:
    """Return the partition of the counter of a person's keys."""
    return f"{LIMIT}key#{person}"


def claim_item(run: str, owner: str) -> str:
    """Return the claim of a run name: the item that reserves it for one stack."""
    return _item(f"{CLAIM}{run}", OWNER, owner)


def routing_item(service: record.Service) -> str:
    """Return the routing record of a run."""
    return _item(f"{RUN}{service.run}", RECORD, _text(service))


def model_item(claim: record.ModelClaim) -> str:
    """Return the claim of a model name: the item that says which runs have it."""
    return _item(f"{MODEL}{claim.model}", RECORD, _text(claim))


def key_item(key: record.Key) -> str:
    """Return the item of an API key, which the gateway checks."""
    return _item(f"{KEY}{key.name}", RECORD, _text(key))


def _item(sort: str, attribute: str, value: str) -> str:
    attributes = {PARTITION_KEY: REGISTRY, SORT_KEY: sort, attribute: value}
    return json.dumps({name: {"S": text} for name, text in attributes.items()}, ensure_ascii=False)


def _text(value: msgspec.Struct) -> str:
    return msgspec.json.encode(value).decode()
