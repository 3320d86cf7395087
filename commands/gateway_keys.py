"""The API keys of a gateway as its table has them: what each key may do, and what it used today. No key is in there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from commands.aws_access import Client
from commands.stack_state import TABLE, StackError, StackState
from gateway_lambda.registry.record import Key, person
from infra.configuration.problem import printable
from infra.planning.table_items import COUNTER, KEY, PARTITION_KEY, RECORD, SORT_KEY, counter_partition

_AT_ONCE = 100
"""Items that one BatchGetItem reads (amazondynamodb/latest/APIReference/API_BatchGetItem.html)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class KeyStatus:
    """One API key. `None`: no limit."""

    name: str
    runs: tuple[str, ...] | None = None
    """`None`: all runs."""
    expires: datetime | None = None
    """When the gateway refuses it; `None`: never."""
    requests_per_minute: int | None = None
    tokens_per_day: int | None = None
    max_concurrent: int | None = None
    tokens_today: int | None = None
    """Tokens that the keys of this person used today, in UTC; `None`: not counted, or AWS did not say."""


def gateway_table(state: StackState) -> tuple[str, str]:
    """Return the name and the region of a gateway's table. Raises `StackError`."""
    tables = state.all_of(TABLE)
    if not tables:
        raise StackError(f"{state.name} has no table in its state: run pulumi up --stack {state.name}")
    return tables[-1]["name"], str(tables[-1]["arn"]).split(":")[3]


def keys_in(items: Sequence[Mapping[str, Any]]) -> tuple[Key, ...]:
    """Return the keys among the items of the registry, by name. One whose record cannot be read has no limits here."""
    found = (_key(item) for item in items if item[SORT_KEY]["S"].startswith(KEY))
    return tuple(sorted(found, key=lambda key: key.name))


def tokens_today(client: Client, table: str, keys: Sequence[Key], now: datetime) -> Mapping[str, int]:
    """Return the tokens that people used today, in UTC, by name. Only those whose keys have `tokens_per_day` are asked
    for. Raises what boto3 raises."""
    people = sorted({person(key.name) for key in keys if key.tokens_per_day is not None})
    used = dict.fromkeys(people, 0)
    for begin in range(0, len(people), _AT_ONCE):
        used |= _read(client, table, people[begin : begin + _AT_ONCE], now)
    return used


def key_status(key: Key, used: Mapping[str, int]) -> KeyStatus:
    """Return what is shown of a key. `used`: as of `tokens_today`; it can be empty if AWS did not say."""
    return KeyStatus(
        name=key.name,
        runs=None if key.runs is None or "*" in key.runs else tuple(key.runs),
        expires=None if key.expires is None else _EPOCH + timedelta(seconds=key.expires),
        requests_per_minute=key.requests_per_minute,
        tokens_per_day=key.tokens_per_day,
        max_concurrent=key.max_concurrent,
        tokens_today=None if key.tokens_per_day is None else used.get(person(key.name)),
    )


def described(key: KeyStatus, now: datetime) -> str:
    """Return a key in one line: its name, and its limits in brackets if it has some."""
    said = ", ".join(_limits(key, now))
    return f"{printable(key.name)} ({said})" if said else printable(key.name)


def expiry(key: KeyStatus, now: datetime) -> str:
    """Return when a key expires, or `-`."""
    if key.expires is None:
        return "-"
    return f"{key.expires:%Y-%m-%d %H:%M} UTC{' (expired)' if key.expires <= now else ''}"


def _key(item: Mapping[str, Any]) -> Key:
    name = item[SORT_KEY]["S"].removeprefix(KEY)
    try:
        return msgspec.json.decode(item[RECORD]["S"], type=Key)
    except (KeyError, msgspec.MsgspecError):
        return Key(name=name, sha256="")


def _read(client: Client, table: str, people: Sequence[str], now: datetime) -> dict[str, int]:
    keys = [{PARTITION_KEY: {"S": counter_partition(name)}, SORT_KEY: {"S": COUNTER}} for name in people]
    names = dict(zip((counter_partition(name) for name in people), people, strict=True))
    today = str((now - _EPOCH).days)
    asked: Mapping[str, Any] = {table: {"Keys": keys}}
    used: dict[str, int] = {}
    while asked:
        answer: Mapping[str, Any] = client("dynamodb").batch_get_item(RequestItems=asked)
        for item in answer["Responses"].get(table, ()):
            if item.get("day", {}).get("N") == today:
                used[names[item[PARTITION_KEY]["S"]]] = int(item["tokens"]["N"])
        asked = answer.get("UnprocessedKeys") or {}
    return used


def _limits(key: KeyStatus, now: datetime) -> Iterator[str]:
    if key.expires is not None:
        yield f"{'expired' if key.expires <= now else 'expires'} {key.expires:%Y-%m-%d %H:%M} UTC"
    if key.runs is not None:
        yield f"only {' and '.join(map(printable, key.runs))}"
    if key.requests_per_minute is not None:
        yield f"{key.requests_per_minute:,} requests a minute"
    if key.tokens_per_day is not None:
        used = "" if key.tokens_today is None else f", {key.tokens_today:,} used today"
        yield f"{key.tokens_per_day:,} tokens a day{used}"
    if key.max_concurrent is not None:
        yield f"{key.max_concurrent:,} at once"
