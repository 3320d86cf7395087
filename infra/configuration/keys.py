"""The API keys of a gateway, and what a caller with each key can do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, cast

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from gateway_lambda.registry.record import person
from infra.configuration.amounts import Positive
from infra.configuration.names import run_name_rule
from infra.configuration.section import Section, problem

SHARED = ("requests_per_minute", "tokens_per_day", "max_concurrent")
"""Limits of a person, who can have several keys."""
_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_MOMENT = f"{_DATE}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9]{{2}}:[0-9]{{2}})?"


def read_list(value: object) -> object:
    """Return the list that `a,b` stands for, and any other value unchanged."""
    return [item.strip() for item in value.split(",")] if isinstance(value, str) else value


def _is_a_run(value: str) -> str:
    if wrong := run_name_rule(value):
        raise problem(*wrong)
    return value


def _read_expiry(value: object) -> object:
    """Return the moment from which a key is refused, in UTC. A date means the whole day."""
    if isinstance(value, datetime):
        return value
    text = value.strip() if isinstance(value, str) else ""
    try:
        if re.fullmatch(_DATE, text):
            return datetime.combine(date.fromisoformat(text) + timedelta(days=1), time(), UTC)
        if re.fullmatch(_MOMENT, text):
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    rule = "expires must be a date or a time that exists: YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SSZ"
    remedy = "write for example 2027-01-31, which includes that whole day in UTC, or 2027-01-31T18:00:00Z"
    raise problem(rule, remedy, found=repr(value)[:80])


def _read_keys(value: object) -> object:
    """Return the options of each key by its name. The keys of a list have no options."""
    if isinstance(value, Mapping):
        names = list(cast("Mapping[object, object]", value))
    elif isinstance(value, list | tuple):
        names = list(cast("list[object]", value))
    else:
        raise problem("keys must be a list of names, or a map of names to options", "write names such as alice,bob")
    for name in names:
        if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", name):
            rule = (
                "a key name must be at most 64 letters, digits, ., _, @ and -, and must begin with a letter or a digit"
            )
            remedy = "write a name such as alice, or alice@2 for her second key"
            raise problem(rule, remedy, found=repr(name)[:80])
        if names.count(name) > 1:
            raise problem("each key name must be different", "remove the duplicate", found=f"{name} more than once")
    return cast("object", value) if isinstance(value, Mapping) else dict.fromkeys(names)


def _limits_are_shared(value: Mapping[str, KeyOptions]) -> Mapping[str, KeyOptions]:
    for option in SHARED:
        first: dict[str, tuple[str, int]] = {}
        for name, options in value.items():
            limit: int | None = getattr(options, option)
            if limit is None:
                continue
            before, known = first.setdefault(person(name), (name, limit))
            if limit != known:
                rule = f"the keys of one person share their limits, so {option} must be the same for both"
                remedy = "write the same number for both keys, or only for one of them; it is then the limit of both"
                found = f"{before} has {known}, and {name} has {limit}"
                raise problem(rule, remedy, found=found)
    return value


RunNames = Annotated[
    tuple[Annotated[str, AfterValidator(_is_a_run)], ...], BeforeValidator(read_list), Field(min_length=1)
]


Expiry = Annotated[datetime, BeforeValidator(_read_expiry), WithJsonSchema({"type": "string"})]
"""The moment from which a key is refused, in UTC."""


class KeyOptions(Section, frozen=True):
    """What a caller with this API key can do."""

    runs: RunNames | None = Field(
        default=None,
        description="The names of the runs that the key can use: a list, or a,b. If not set, it can use all runs",
    )
    expires: Expiry | None = Field(
        default=None,
        description="When the key expires: a date, which includes the whole day in UTC, or a time. If not set, never",
    )
    requests_per_minute: Positive | None = Field(
        default=None, description="The most requests per minute. If not set, there is no limit"
    )
    tokens_per_day: Positive | None = Field(
        default=None,
        description="The most tokens of prompts and answers per day, in UTC. If not set, there is no limit",
    )
    max_concurrent: Positive | None = Field(
        default=None, description="The most requests at the same time. If not set, there is no limit"
    )

    @classmethod
    def read_short_form(cls, value: object) -> object:
        return {} if value in (None, "") else value


Keys = Annotated[Mapping[str, KeyOptions], BeforeValidator(_read_keys), AfterValidator(_limits_are_shared)]
"""The options of each API key by its name: `alice`, or `alice@2` for a second key of the same person."""
