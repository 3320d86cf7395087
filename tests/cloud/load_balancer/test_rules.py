"""Which rule a request meets."""

from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from cloud.load_balancer.configuration import Condition, FixedResponse, Rule
from cloud.load_balancer.rules import action_for

_CONDITIONS = {
    "exact": [Condition(field="host-header", values=("run.internal",))],
    "wild": [Condition(field="host-header", values=("*.example.com", "r?n.org"))],
    "host and path": [
        Condition(field="host-header", values=("paths.internal",)),
        Condition(field="path-pattern", values=("/v1/*", "/Exact")),
    ],
    "method": [Condition(field="http-request-method", values=("PUT",))],
    "header": [Condition(field="http-header", values=("*canary*",), header="X-Kind")],
    "default": [],
}
_RULES = [
    Rule(conditions=tuple(conditions), action=FixedResponse(status=200, content_type="text/plain", body=name))
    for name, conditions in _CONDITIONS.items()
]


@pytest.mark.parametrize(
    ("request_of", "met"),
    [
        (("GET", "/", {"Host": "run.internal"}), "exact"),
        (("GET", "/", {"Host": "RUN.internal:80"}), "exact"),
        (("GET", "/", {"Host": "run.internal.evil"}), "default"),
        (("GET", "/", {"Host": "runXinternal"}), "default"),
        (("GET", "/", {"Host": "a.b.example.com"}), "wild"),
        (("GET", "/", {"Host": "example.com"}), "default"),
        (("GET", "/", {"Host": "run.org"}), "wild"),
        (("GET", "/", {"Host": "rn.org"}), "default"),
        (("GET", "/v1/models", {"Host": "paths.internal"}), "host and path"),
        (("GET", "/Exact", {"Host": "paths.internal"}), "host and path"),
        (("GET", "/exact", {"Host": "paths.internal"}), "default"),
        (("GET", "/v2", {"Host": "paths.internal"}), "default"),
        (("PUT", "/", {"Host": "x"}), "method"),
        (("GET", "/", {"Host": "x", "x-kind": "the Canary one"}), "header"),
        (("GET", "/", {"Host": "x", "x-kind": "other"}), "default"),
    ],
)
def test_the_first_rule_whose_conditions_all_hold_answers(
    request_of: tuple[str, str, dict[str, str]], met: str
) -> None:
    method, path, headers = request_of
    action = action_for(_RULES, method, path, CIMultiDictProxy(CIMultiDict(headers)))
    assert action == FixedResponse(status=200, content_type="text/plain", body=met)


def test_a_listener_without_a_default_has_no_action() -> None:
    assert action_for(_RULES[:1], "GET", "/", CIMultiDictProxy(CIMultiDict({"Host": "x"}))) is None
