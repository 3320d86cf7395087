"""What the engine does with each resource of a program: create, keep, update or replace it; and delete the others.

It follows Pulumi's engine (pkg/resource/deploy): a new resource comes before the old one goes, unless both would have
one name; what is replaced and what the program no longer asks for goes at the end, and only if nothing went wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from cloud.deployment.deleting import delete, existing, replaced_with, short
from cloud.deployment.options import former_urns, is_replaced_by_options, with_ignored
from cloud.deployment.package import Made, Package, PartlyMade, unmarked
from cloud.deployment.packages import PROVIDERS, Packages
from cloud.deployment.state import Held, State
from commands.program_monitor import Refused, Registration
from commands.property_values import Properties, without_secrets_marked

STASH = "pulumi:index:Stash"
"""A resource of the engine's own: its output is the first input that it was given."""


class Steps:
    """One deployment of one stack."""

    def __init__(self, state: State, packages: Packages, say: Callable[[str], None]) -> None:
        self._state = state
        self._packages = packages
        self._say = say
        self._asked_for: set[str] = set()
        self._lock = threading.Lock()

    def register(self, registration: Registration) -> tuple[str, Properties]:
        """Make a resource what the program says, and return its id and outputs. Raises `Refused`."""
        try:
            return self._registered(registration)
        except Refused:
            self._say(f"failed {short(registration.urn)}")
            raise

    def finish(self) -> list[str]:
        """Delete what was replaced and what the program no longer has, and return the errors."""
        return self._delete([one for one in self._state.resources if one.going or one.urn not in self._asked_for])

    def destroy(self) -> list[str]:
        """Delete everything, and return the errors."""
        return self._delete(list(self._state.resources))

    def settings(self, provider: str) -> Mapping[str, Any]:
        """Return the inputs of an explicit provider, `URN::id`; empty: the default provider."""
        held = self._state.of(provider.rpartition("::")[0])
        return {} if held is None else held.inputs

    def _registered(self, registration: Registration) -> tuple[str, Properties]:
        there = self._there(registration)
        asked = {name: without_secrets_marked(value) for name, value in registration.inputs.items()}
        if registration.type.startswith(PROVIDERS):
            return self._only_in_state(registration, there, asked, asked)
        if registration.type == STASH:
            kept = asked.get("input") if there is None else there.outputs["output"]
            return self._only_in_state(registration, there, asked, {**asked, "output": kept})
        package = self._packages.of(registration.type, self.settings(registration.provider))
        if there is None:
            inputs = package.check(registration.type, registration.name, asked, None)
            made = self._create(registration, package, inputs)
        else:
            made = self._change(registration, package, there, asked)
        return made.id, unmarked(made.outputs)

    def _there(self, registration: Registration) -> Held | None:
        with self._lock:
            self._asked_for.add(registration.urn)
        for urn in (registration.urn, *former_urns(registration)):
            if (held := self._state.of(urn)) is not None:
                held.urn = registration.urn
                return held
        return None

    def _only_in_state(
        self, registration: Registration, there: Held | None, inputs: dict[str, Any], outputs: dict[str, Any]
    ) -> tuple[str, Properties]:
        id = registration.urn.rpartition("::")[2] if there is None else there.id
        self._state.keep(_held(registration, Made(id, outputs), inputs))
        return id, outputs

    def _create(self, registration: Registration, package: Package, inputs: dict[str, Any]) -> Made:
        began = time.monotonic()
        self._say(f"creating {short(registration.urn)}")
        try:
            made = package.create(registration.type, inputs, registration.timeouts)
        except PartlyMade as partly:
            self._state.keep(_held(registration, partly.made, inputs, failed=True))
            raise
        self._state.keep(_held(registration, made, inputs))
        self._say(f"created {short(registration.urn)} ({time.monotonic() - began:.1f} s)")
        return made

    def _change(self, registration: Registration, package: Package, there: Held, asked: Mapping[str, Any]) -> Made:
        given = with_ignored(asked, there.inputs, registration.ignore_changes)
        inputs = package.check(there.type, registration.name, given, there.inputs)
        found = package.difference(existing(there), inputs)
        if found.replacing or is_replaced_by_options(registration, found.changed, there.trigger):
            return self._replace(registration, package, there, given, found.delete_first)
        made = Made(there.id, there.outputs)
        if found.changed or there.failed:
            began = time.monotonic()
            self._say(f"updating {short(there.urn)} ({', '.join(found.changed)})")
            try:
                made = package.update(existing(there), inputs, registration.timeouts)
            except PartlyMade as partly:
                self._state.keep(_held(registration, partly.made, there.inputs, failed=True))
                raise
            except Refused:
                self._state.keep(_held(registration, made, there.inputs, failed=True))
                raise
            self._say(f"updated {short(there.urn)} ({time.monotonic() - began:.1f} s)")
        self._state.keep(_held(registration, made, inputs))
        return made

    def _replace(
        self, registration: Registration, package: Package, there: Held, given: Mapping[str, Any], delete_first: bool
    ) -> Made:
        if there.protect:
            raise Refused(_protected([there]))
        inputs = package.check(there.type, registration.name, given, None)
        self._say(f"replacing {short(there.urn)}")
        wanted = registration.delete_before_replace
        if delete_first if wanted is None else wanted:
            gone = replaced_with(self._state, there, self._package_of)
            if errors := self._delete(gone):
                raise Refused("; ".join(errors))
            return self._create(registration, package, inputs)
        self._state.replace(there)
        try:
            return self._create(registration, package, inputs)
        except PartlyMade:
            raise
        except Refused:
            self._state.stay(there)
            raise

    def _delete(self, going: list[Held]) -> list[str]:
        if kept := [one for one in going if one.protect and not one.going]:
            return [_protected(kept)]
        return delete(self._state, going, self._package_of, self._say)

    def _package_of(self, held: Held) -> Package | None:
        if held.type == STASH or held.type.startswith(PROVIDERS):
            return None
        return self._packages.of(held.type, self.settings(held.provider))


def _held(registration: Registration, made: Made, inputs: dict[str, Any], *, failed: bool = False) -> Held:
    return Held(
        urn=registration.urn,
        type=registration.type,
        id=made.id,
        inputs=inputs,
        outputs=dict(made.outputs),
        provider=registration.provider,
        parent=registration.parent,
        dependencies=registration.dependencies,
        property_dependencies=registration.property_dependencies,
        protect=registration.protect,
        retain_on_delete=registration.retain_on_delete,
        deleted_with=registration.deleted_with,
        timeouts=registration.timeouts,
        trigger=without_secrets_marked(registration.replacement_trigger),
        failed=failed,
    )


def _protected(held: list[Held]) -> str:
    names = ", ".join(short(one.urn) for one in held)
    return f"{names}: protected, so nothing is deleted. Set protect to false and run the update first"
