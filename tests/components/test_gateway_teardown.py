"""Refusing to delete a gateway that still has runs."""

from __future__ import annotations

import base64
import pickle
import pickletools
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pulumi.dynamic import Config, ConfigureRequest

from infra.components.teardown import TeardownProvider
from infra.readiness import Table
from tests.aws.recording import Recording
from tests.components.deploying import plain

GATEWAY = {"region": "us-east-1", "table": "gateway-table-0123456"}


class Registry:
    """A table with claims and routes, or none any more."""

    def __init__(self, *items: str, error: str | None = None) -> None:
        self._items = items
        self._error = error

    def query(self, **given: Any) -> Mapping[str, Any]:
        if self._error is not None:
            raise ClientError({"Error": {"Code": self._error, "Message": "said"}}, "Query")
        values = given["ExpressionAttributeValues"]
        assert (values[":registry"], given["ConsistentRead"]) == ({"S": "registry"}, True)
        return {
            "Items": [
                {"pk": {"S": "registry"}, "sk": {"S": one}, "owner": {"S": f"o/p/{one.partition('#')[2]}"}}
                for one in self._items
                if one.startswith(values[":run"]["S"])
            ]
        }


def teardown(table: Table) -> TeardownProvider:
    return TeardownProvider(lambda region, profile: table)


@pytest.mark.parametrize("table", [Registry(), Registry("key#default"), Registry(error="ResourceNotFoundException")])
def test_a_gateway_without_runs_or_without_its_table_may_be_deleted(table: Registry) -> None:
    teardown(table).delete("id", GATEWAY)


@pytest.mark.parametrize(
    ("items", "says"),
    [
        (
            ("claim#a", "run#a", "key#default"),
            "has the runs a (stack o/p/a), whose instances would stay and cost money. Destroy",
        ),
        (("claim#deploying",), "has the runs deploying (stack o/p/deploying), whose "),
        (("run#left",), "has the runs left, whose "),
        (
            [f"run#{number}" for number in range(7)],
            "has the runs 0, 1, 2, 3, 4 and 2 more, whose instances would stay and cost money. Destroy their stacks",
        ),
    ],
    ids=["routed", "claimed", "only a route", "many"],
)
def test_a_gateway_that_has_runs_is_not_deleted(items: tuple[str, ...], says: str) -> None:
    with pytest.raises(RuntimeError) as refused:
        teardown(Registry(*items)).delete("id", GATEWAY)
    assert says in str(refused.value)


def test_a_gateway_of_which_nothing_is_known_is_not_deleted() -> None:
    with pytest.raises(RuntimeError, match="does not say which runs it still has: AccessDeniedException: said"):
        teardown(Registry(error="AccessDeniedException")).delete("id", GATEWAY)


def test_a_profile_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(RuntimeError, match=r"profile \(nobody\) could not be found"):
        TeardownProvider().delete("id", {**GATEWAY, "profile": "nobody"})


def test_other_changes_of_a_gateway_ask_nothing() -> None:
    guard = teardown(Registry(error="AccessDeniedException"))
    assert guard.create(GATEWAY).id == "gateway-table-0123456"
    assert guard.diff("id", GATEWAY, {**GATEWAY, "__provider": "changed"}).changes is False
    assert guard.diff("id", GATEWAY, {**GATEWAY, "table": "other"}).changes is True
    assert guard.update("id", GATEWAY, {**GATEWAY, "table": "other"}).outs == {**GATEWAY, "table": "other"}


def test_in_the_engine_a_refusal_is_shown_without_pulumi_s_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    guard = teardown(Registry("run#a"))
    guard.configure(ConfigureRequest(Config({}, "servestack")))
    shown = ""
    try:
        guard.delete("id", GATEWAY)
    except Exception:
        shown = traceback.format_exc()
    assert shown == (
        "the gateway still has the runs a, whose instances would stay and cost money. Destroy their stacks first "
        "(docs/teardown.md)\n"
    )


def test_a_stack_s_state_refers_to_one_name_of_this_code(gateway: Recording) -> None:
    kept = base64.b64decode(plain(gateway.one("pulumi-python:dynamic:Resource").inputs["__provider"]))
    named = [text for _, text, _ in pickletools.genops(kept) if isinstance(text, str)]
    assert named == ["infra.components.teardown", "TeardownProvider"]
    assert type(pickle.loads(kept)) is TeardownProvider
