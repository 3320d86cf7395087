"""What is done with a resource that is there, or not, or differs: as Pulumi's engine does it."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from cloud.deployment.package import Package
from cloud.deployment.state import State
from cloud.deployment.steps import Steps
from commands.in_process import run
from commands.program_monitor import Call, Refused, Registration
from commands.property_values import Properties
from tests.cloud.deployment.notes import Note, Notes


class Stack:
    """A stack of notes, deployed again and again."""

    def __init__(self, folder: Path) -> None:
        self.notes = Notes()
        self.file = folder / "stack.json"
        self.said: list[str] = []

    def up(self, program: Callable[[], None]) -> list[str]:
        """What was done; the errors, if there are any."""
        state = State(self.file)
        steps = Steps(state, self, self.said.append)  # type: ignore[arg-type]
        done = run(program, _Answers(steps), stack="s", config={}, at_once=4)
        if errors := done.errors or tuple(steps.finish()):
            return [error.rpartition("::")[2] for error in errors]
        return self.notes.happened()

    def destroy(self) -> list[str]:
        state = State(self.file)
        return Steps(state, self, self.said.append).destroy() or self.notes.happened()  # type: ignore[arg-type]

    def of(self, type: str, settings: Mapping[str, Any]) -> Package:
        return self.notes

    def there(self) -> list[tuple[str, Any]]:
        """(logical name, number) of what the file has."""
        return [(one.urn.rpartition("::")[2], one.outputs["number"]) for one in State(self.file).resources]


class _Answers:
    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    def create(self, registration: Registration) -> tuple[str | None, Properties]:
        return self._steps.register(registration)

    def read(self, type: str, name: str, id: str, properties: Properties) -> Properties:
        raise Refused(type)

    def call(self, call: Call) -> Properties:
        raise Refused(call.token)


def noting(name: str, options: pulumi.ResourceOptions | None = None, **inputs: Any) -> Callable[[], None]:
    """A program with one note."""

    def program() -> None:
        Note(name, options, **inputs)

    return program


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(tmp_path)


def test_what_depends_on_another_is_made_after_it_and_deleted_before_it(stack: Stack) -> None:
    def program() -> None:
        first = Note("first", size=1)
        second = Note("second", of=first.number)
        Note("third", opts=pulumi.ResourceOptions(depends_on=[second]))

    assert stack.up(program) == ["create first", "create second", "create third"]
    assert stack.up(program) == []
    assert stack.destroy() == ["delete third-3", "delete second-2", "delete first-1"]
    assert stack.there() == []


def test_a_change_updates_and_what_is_no_longer_asked_for_goes_last(stack: Stack) -> None:
    def before() -> None:
        Note("kept", size=1)
        Note("gone")

    stack.up(before)
    done = stack.up(noting("kept", size=2))
    # Both are made at the same time, so either number can be that of the one that goes.
    assert [event.rstrip("0123456789") for event in done] == ["update kept", "delete gone-"]


def test_a_new_resource_comes_before_the_old_one_goes(stack: Stack) -> None:
    stack.up(noting("one", key="a"))
    assert stack.up(noting("one", key="b")) == ["create one", "delete one-1"]
    assert stack.there() == [("one", 2)]


def test_with_a_fixed_name_the_old_one_goes_first_and_with_it_what_is_made_of_it(stack: Stack) -> None:
    def program(key: str) -> Callable[[], None]:
        def run() -> None:
            one = Note("one", key=key, fixed=True)
            Note("made of it", key_of=one.number)
            Note("refers to it", of=one.number)

        return run

    stack.up(program("a"))
    stack.notes.happened()
    done = stack.up(program("b"))
    assert [event.rstrip("0123456789") for event in done[:3]] == ["delete made of it-", "delete one-", "create one"]
    assert sorted(done[3:]) == ["create made of it", "update refers to it"]


@pytest.mark.parametrize(
    ("options", "inputs"),
    [
        ({"replace_on_changes": ["size"]}, ({"size": 1}, {"size": 2})),
        ({"replace_on_changes": ["*"]}, ({"size": 1}, {"size": 2})),
    ],
)
def test_an_option_can_demand_a_new_resource(stack: Stack, options: Any, inputs: Any) -> None:
    for size in inputs:
        done = stack.up(noting("one", pulumi.ResourceOptions(**options), **size))
    assert done == ["create one", "delete one-1"]


def test_a_changed_trigger_replaces_and_a_new_one_does_not(stack: Stack) -> None:
    def with_trigger(value: str | None) -> list[str]:
        options = pulumi.ResourceOptions() if value is None else pulumi.ResourceOptions(replacement_trigger=value)
        return stack.up(noting("one", options))

    assert with_trigger(None) == ["create one"]
    assert with_trigger("a") == []
    assert with_trigger("b") == ["create one", "delete one-1"]


def test_ignored_changes_are_not_made(stack: Stack) -> None:
    ignored = pulumi.ResourceOptions(ignore_changes=["size"])
    stack.up(noting("one", size=1))
    assert stack.up(noting("one", ignored, size=2)) == []


def test_what_is_protected_is_neither_deleted_nor_replaced(stack: Stack) -> None:
    protected = pulumi.ResourceOptions(protect=True)
    stack.up(noting("one", protected, key="a"))
    refusal = "Note one: protected, so nothing is deleted. Set protect to false and run the update first"
    assert stack.up(noting("one", protected, key="b")) == [f"one: {refusal}"]
    assert stack.up(lambda: None) == [refusal]
    assert stack.destroy() == [refusal]
    assert stack.up(noting("one", key="a")) == []
    assert stack.destroy() == ["delete one-1"]


def test_what_is_retained_or_goes_with_another_is_only_forgotten(stack: Stack) -> None:
    def program() -> None:
        whole = Note("whole")
        Note("part", pulumi.ResourceOptions(deleted_with=whole))
        Note("retained", pulumi.ResourceOptions(retain_on_delete=True))

    stack.up(program)
    (deleted,) = stack.destroy()
    assert deleted.startswith("delete whole-")
    assert stack.there() == []


def test_an_alias_is_the_same_resource(stack: Stack) -> None:
    stack.up(noting("old", size=1))
    renamed = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="old")])
    assert stack.up(noting("new", renamed, size=1)) == []
    assert stack.there() == [("new", 1)]


def test_after_a_refusal_the_rest_is_made_nothing_is_deleted_and_the_next_time_goes_on(stack: Stack) -> None:
    stack.up(noting("before"))

    def program() -> None:
        refused = Note("refused")
        Note("after it", of=refused.number)
        Note("beside it")

    stack.notes.refuse = {"create refused"}
    stack.notes.happened()
    assert stack.up(program) == ["refused: no create of refused"]
    assert stack.notes.happened() == ["create beside it"]
    stack.notes.refuse = set()
    assert stack.up(program) == ["create refused", "create after it", "delete before-1"]


def test_a_replacement_that_is_refused_leaves_the_old_one(stack: Stack) -> None:
    stack.up(noting("one", key="a"))
    stack.notes.refuse = {"create one"}
    assert stack.up(noting("one", key="b")) == ["one: no create of one"]
    assert stack.there() == [("one", 1)]
    assert stack.up(noting("one", key="a")) == []


def test_what_is_partly_made_is_kept_and_tried_again(stack: Stack) -> None:
    stack.notes.partly = {"one"}
    assert stack.up(noting("one")) == ["one: one is made, and does not work"]
    assert stack.there() == [("one", 1)]
    stack.notes.happened()
    assert stack.up(noting("one")) == ["update one"]
    assert stack.up(noting("one")) == []


def test_an_update_that_failed_is_tried_again(stack: Stack) -> None:
    stack.up(noting("one", size=1))
    stack.notes.refuse = {"update one"}
    assert stack.up(noting("one", size=2)) == ["one: no update of one"]
    stack.notes.refuse = set()
    assert stack.up(noting("one", size=2)) == ["update one"]


def test_what_cannot_be_deleted_holds_what_it_depends_on(stack: Stack) -> None:
    def program() -> None:
        Note("second", of=Note("first").number)
        Note("other")

    stack.up(program)
    stack.notes.refuse = {"delete second"}
    assert [error.rpartition("::")[2] for error in stack.destroy()] == ["second: deleting: no delete of second"]
    assert sorted(stack.there())[0][0] == "first"
    assert [name for name, _ in sorted(stack.there())] == ["first", "second"]
    stack.notes.refuse = set()
    assert [event.partition("-")[0] for event in stack.destroy()[-2:]] == ["delete second", "delete first"]


def test_a_program_does_not_see_what_a_package_keeps_for_itself_and_only_the_owner_reads_the_file(stack: Stack) -> None:
    seen: list[Any] = []

    def program() -> None:
        secret = pulumi.Output.secret("hidden")
        Note("one", text=secret).number.apply(seen.append)

    stack.up(program)
    assert seen == [1]
    assert stat.S_IMODE(stack.file.stat().st_mode) == 0o600
    (one,) = json.loads(stack.file.read_text())["resources"]
    assert (one["outputs"]["__own"], one["inputs"]["text"]) == ("kept", "hidden")
    assert not any("hidden" in line for line in stack.said)


def test_a_stash_keeps_its_first_value(stack: Stack) -> None:
    seen: list[Any] = []

    def program(value: str) -> Callable[[], None]:
        def run() -> None:
            pulumi.Stash("kept", input=value).output.apply(seen.append)

        return run

    assert (stack.up(program("a")), stack.up(program("b"))) == ([], [])
    assert seen == ["a", "a"]
