"""The words of stack config about alarms: who is told, and what a stack can spend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from infra.configuration.amounts import Number
from infra.configuration.section import problem

_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s,;<>.]+")
_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)
LONGEST_EMAIL = 254
"""Characters (RFC 5321: a path has 256, two of them brackets)."""


def _is_an_email(value: str) -> str:
    if len(value) > LONGEST_EMAIL or not _EMAIL.fullmatch(value):
        remedy = (
            "write an address such as ops@example.com. For several people, use the address of a list, or alarm_topic"
        )
        raise problem("alarm_email must be one email address", remedy, found=repr(value)[:80])
    return value


def _is_a_topic(value: str) -> str:
    if not _TOPIC.fullmatch(value):
        rule = "alarm_topic must be the ARN of a standard topic in SNS"
        remedy = "copy the ARN from SNS: arn:aws:sns:us-east-1:123456789012:NAME"
        raise problem(rule, remedy, found=repr(value)[:80])
    return value


AlarmEmail = Annotated[
    Annotated[str, AfterValidator(_is_an_email)] | None,
    Field(description="Who gets a mail for each alarm. If neither this nor `alarm_topic` is set, there are no alarms"),
]
AlarmTopic = Annotated[
    Annotated[str, AfterValidator(_is_a_topic)] | None,
    Field(description="The ARN of an existing SNS topic that gets the alarms, in place of `alarm_email`"),
]
Budget = Annotated[
    Annotated[Number, Field(gt=0)] | None,
    Field(description="US dollars per month. An alarm tells when a day costs more than its part of them"),
]


def alarm_conflicts(given: Mapping[str, object]) -> Iterator[tuple[str, PydanticCustomError]]:
    """Yield what is wrong with the three words together: the word, and the problem."""
    email, topic = given.get("alarm_email"), given.get("alarm_topic")
    if email is not None and topic is not None:
        rule = "alarm_email creates a topic and alarm_topic names one, so only one of them can be set"
        yield "alarm_email", problem(rule, "remove alarm_email, and subscribe the address to the topic in SNS")
    if given.get("budget") is not None and email is None and topic is None:
        yield "budget", problem("budget needs someone to tell", "set alarm_email or alarm_topic too, or remove budget")
