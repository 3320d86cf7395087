"""What a program says of a resource beside its inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cloud.deployment.options import former_urns, is_replaced_by_options, with_ignored
from commands.program_monitor import Registration
from commands.property_values import UNKNOWN

ONE = Registration(
    urn="urn:pulumi:s::p::a:b:Parent$aws:lb/listener:Listener::new",
    type="aws:lb/listener:Listener",
    name="new",
    custom=True,
    parent="urn:pulumi:s::p::a:b:Parent::parent",
    inputs={},
    dependencies=(),
    property_dependencies={},
    provider="",
    protect=False,
    ignore_changes=(),
    replace_on_changes=(),
    replacement_trigger=None,
    delete_before_replace=None,
    retain_on_delete=False,
    deleted_with="",
    additional_secret_outputs=(),
    aliases=(),
    timeouts={},
    version="",
)


def test_an_ignored_property_stays_as_it_is_at_any_depth() -> None:
    there = {"a": [{"b": 1, "c": 1}], "d": 1}
    asked = {"a": [{"b": 2, "c": 2}], "d": 2}
    assert with_ignored(asked, there, ["a[0].b", "d"]) == {"a": [{"b": 1, "c": 2}], "d": 1}
    assert with_ignored(asked, {}, ["a[0].b", "d"]) == asked
    assert asked == {"a": [{"b": 2, "c": 2}], "d": 2}


@pytest.mark.parametrize(
    ("aliases", "urns"),
    [
        (("urn:pulumi:s::p::x:y:Z::old",), ["urn:pulumi:s::p::x:y:Z::old"]),
        (("old",), ["urn:pulumi:s::p::a:b:Parent$aws:lb/listener:Listener::old"]),
        (
            ("aws:elb/listener:Listener old",),
            ["urn:pulumi:s::p::a:b:Parent$aws:elb/listener:Listener::old"],
        ),
        (
            ("old urn:pulumi:s::p::c:d:Other::other",),
            ["urn:pulumi:s::p::c:d:Other$aws:lb/listener:Listener::old"],
        ),
        (("urn:pulumi:s::p::pulumi:pulumi:Stack::p-s",), ["urn:pulumi:s::p::pulumi:pulumi:Stack::p-s"]),
    ],
)
def test_an_alias_says_what_differs(aliases: tuple[str, ...], urns: list[str]) -> None:
    assert list(former_urns(replace(ONE, aliases=aliases))) == urns


@pytest.mark.parametrize(
    ("options", "changed", "trigger", "replaced"),
    [
        ({}, ["port"], None, False),
        ({"replace_on_changes": ("port",)}, ["port"], None, True),
        ({"replace_on_changes": ("port[0].x",)}, ["port"], None, True),
        ({"replace_on_changes": ("port",)}, ["name"], None, False),
        ({"replace_on_changes": ("*",)}, [], None, False),
        ({"replacement_trigger": "a"}, [], None, False),
        ({"replacement_trigger": "a"}, [], "a", False),
        ({"replacement_trigger": "a"}, [], "b", True),
        ({"replacement_trigger": UNKNOWN}, [], "b", False),
    ],
)
def test_options_demand_a_new_resource(options: Any, changed: list[str], trigger: Any, replaced: bool) -> None:
    assert is_replaced_by_options(replace(ONE, **options), changed, trigger) is replaced
