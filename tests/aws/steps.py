"""What the engine does with a registration when the stack was deployed before: same, update, replace, create, delete.

So a program that is recorded twice in one account is deployed twice. The engine itself orders deletions by what depends
on what; here whatever is held is tried again after the rest, and an order that no retry finds is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from cloud.deployment.options import with_ignored
from commands.program_monitor import Registration
from commands.property_values import Properties
from tests.aws.standin import Cloud, Difference, NotAccepted, Record
from tests.aws.standin.differences import DEFAULTS

STASH = "pulumi:index:Stash"
"""A resource of the engine's own: its output is the first input that it was given."""

Step = Literal["create", "same", "update", "replace", "delete"]


class Steps:
    """One deployment of one stack into an account."""

    def __init__(self, cloud: Cloud, stack: str, *, preview: bool) -> None:
        self._cloud = cloud
        self._preview = preview
        self._there = {one.urn: one for one in cloud.records.all if one.urn.startswith(f"urn:pulumi:{stack}::")}
        self._going: list[Record] = []
        self.taken: dict[str, Step] = {}
        """By URN."""

    def register(
        self, registration: Registration, asked: Mapping[str, Any], region: str, tags: Mapping[str, str]
    ) -> tuple[str | None, Properties]:
        """(id, outputs) of a resource; at preview the id is `None` while it is not known.

        `tags`: the default tags of its provider.
        """
        type, urn = registration.type, registration.urn
        there = self._there.pop(urn, None)
        if there is None:
            self.taken[urn] = "create"
            return self._create(type, urn, self._cloud.checked(type, urn, asked, tags=tags), region)
        given = with_ignored(asked, there.inputs, registration.ignore_changes)
        old = _with_own_name(there)
        inputs = self._cloud.checked(type, urn, given, old, tags=tags)
        found = self._cloud.difference(type, old, inputs)
        if set(found.changed) & {name.partition(".")[0] for name in registration.replace_on_changes}:
            found = Difference(found.changed, found.changed, found.delete_first)
        if found.replacing:
            self.taken[urn] = "replace"
            delete_first = found.delete_first or registration.delete_before_replace is True
            new = self._cloud.checked(type, urn, given, tags=tags)
            return self._replace(there, new, region, delete_first=delete_first)
        self.taken[urn] = "update" if found.changed else "same"
        if self._preview:
            return there.id, self._cloud.preview(type, inputs, known=there.outputs) if found.changed else there.outputs
        made = self._cloud.update(type, there.id, inputs) if found.changed else there
        return made.id, made.outputs

    def stash(self, registration: Registration) -> tuple[str, Properties]:
        """(id, outputs) of a Stash, which lies beside the account's records for want of a state file."""
        urn, inputs = registration.urn, registration.inputs
        there = self._there.pop(urn, None)
        kept = inputs.get("input") if there is None else there.outputs["output"]
        if there is None and not self._preview:
            self._cloud.records.all.append(Record(STASH, urn, urn, "global", urn, dict(inputs), {"output": kept}))
        return urn, {**inputs, "output": kept}

    def finish(self) -> list[tuple[str, str]]:
        """Let go of what was replaced, and of what the program no longer asks for; (URN, why) of what stays."""
        self.taken |= dict.fromkeys(self._there, "delete")
        if self._preview:
            return []
        going = [*self._going, *reversed(self._there.values())]
        while going:
            held: list[tuple[Record, str]] = []
            for record in going:
                try:
                    self._cloud.delete(record.type, record.id)
                except NotAccepted as refused:
                    held.append((record, str(refused)))
            if len(held) == len(going):
                return [(record.urn, why) for record, why in held]
            going = [record for record, _ in held]
        return []

    def _create(self, type: str, urn: str, inputs: Mapping[str, Any], region: str) -> tuple[str | None, Properties]:
        if self._preview:
            return None, self._cloud.preview(type, inputs)
        made = self._cloud.create(type, urn, inputs, region)
        return made.id, made.outputs

    def _replace(
        self, there: Record, inputs: Mapping[str, Any], region: str, *, delete_first: bool
    ) -> tuple[str | None, Properties]:
        if self._preview:
            return self._create(there.type, there.urn, inputs, region)
        if delete_first:
            self._cloud.delete(there.type, there.id)
        else:
            self._going.append(there)
        return self._create(there.type, there.urn, inputs, region)


def _with_own_name(there: Record) -> dict[str, Any]:
    return {**there.inputs, **({DEFAULTS: there.defaults} if there.defaults else {})}
