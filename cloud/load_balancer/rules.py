"""The rule that applies to a request."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache

from multidict import CIMultiDictProxy

from cloud.load_balancer.configuration import Condition, FixedResponse, Forward, Rule


def action_for(
    rules: Sequence[Rule], method: str, path: str, headers: CIMultiDictProxy[str]
) -> FixedResponse | Forward | None:
    """Return the action of the first rule whose conditions all hold, if there is one. `path`: without the query."""
    for rule in rules:
        if all(_holds(condition, method, path, headers) for condition in rule.conditions):
            return rule.action
    return None


def group_of(action: Forward) -> str:
    """Return the ARN of one of its target groups, by their weights; empty if no group has a weight."""
    weights = [weight for _, weight in action.groups]
    return random.choices([arn for arn, _ in action.groups], weights)[0] if any(weights) else ""  # noqa: S311


def _holds(condition: Condition, method: str, path: str, headers: CIMultiDictProxy[str]) -> bool:
    if condition.field == "host-header":
        host = re.sub(r":\d*$", "", headers.get("Host", ""))
        return any(_pattern(value, True).fullmatch(host) for value in condition.values)
    if condition.field == "path-pattern":
        return any(_pattern(value, False).fullmatch(path) for value in condition.values)
    if condition.field == "http-request-method":
        return method in condition.values
    sent = headers.getall(condition.header, [])
    return any(_pattern(value, True).fullmatch(one) for value in condition.values for one in sent)


@lru_cache(maxsize=1024)
def _pattern(value: str, any_case: bool) -> re.Pattern[str]:
    """`*` stands for any characters, `?` for one. Hosts and headers have any case, paths have not."""
    wild = re.escape(value).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(wild, re.IGNORECASE | re.DOTALL if any_case else re.DOTALL)
