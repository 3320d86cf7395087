"""Deletes resources, as many at once as possible. A resource goes before those that it depends on."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Iterator, Sequence

from cloud.deployment.package import Existing, Package
from cloud.deployment.state import Held, State
from commands.program_monitor import Refused
from commands.property_values import UNKNOWN

AT_ONCE = 8

PackageOf = Callable[[Held], Package | None]
"""`None`: the resource is only in the state."""


def delete(state: State, going: Sequence[Held], package_of: PackageOf, say: Callable[[str], None]) -> list[str]:
    """Delete them, and return the errors. What a resource that stays depends on stays too."""
    errors: list[str] = []
    waiting = list(going)
    running: dict[concurrent.futures.Future[None], Held] = {}
    stuck: list[Held] = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as threads:
        while True:
            around = [*waiting, *running.values(), *stuck]
            for held in [one for one in waiting if not any(_is_needed(one, other) for other in around)]:
                waiting.remove(held)
                running[threads.submit(_delete, state, held, going, package_of, say)] = held
            if not running:
                break
            done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
            for future in done:
                held = running.pop(future)
                if (error := future.exception()) is not None:
                    if not isinstance(error, Refused):
                        raise error
                    say(f"failed {short(held.urn)}")
                    stuck.append(held)
                    errors.append(f"{held.urn}: deleting: {error}")
    return errors


def replaced_with(state: State, held: Held, package_of: PackageOf) -> list[Held]:
    """Return the resources that cannot stay when `held` is deleted before its successor is made: their inputs come from
    it, and a change of these inputs needs a new resource."""
    gone = [held]
    for other in state.resources:
        names = [name for name, urns in other.property_dependencies.items() if set(urns) & {one.urn for one in gone}]
        package = package_of(other) if names and not other.going else None
        if package is None:
            continue
        found = package.difference(existing(other), {**other.inputs, **dict.fromkeys(names, UNKNOWN)})
        if found.replacing:
            gone.append(other)
    return gone


def existing(held: Held) -> Existing:
    return Existing(held.type, held.id, held.inputs, held.outputs)


def _is_needed(one: Held, other: Held) -> bool:
    """Whether `one` must stay as long as `other` exists."""
    return one is not other and one.urn in _needs(other)


def _needs(held: Held) -> Iterator[str]:
    yield from held.dependencies
    yield held.parent
    yield held.provider.rpartition("::")[0]


def _delete(state: State, held: Held, going: Sequence[Held], package_of: PackageOf, say: Callable[[str], None]) -> None:
    package = package_of(held)
    goes_with = held.deleted_with in {one.urn for one in going}
    if package is not None and not held.retain_on_delete and not goes_with:
        began = time.monotonic()
        say(f"deleting {short(held.urn)}")
        package.delete(existing(held), held.timeouts)
        say(f"deleted {short(held.urn)} ({time.monotonic() - began:.1f} s)")
    state.forget(held)


def short(urn: str) -> str:
    """Return the type and name in a URN: `TargetGroup web-replicas`."""
    types, _, name = urn.rpartition("::")
    return f"{types.rpartition(':')[2]} {name}"
