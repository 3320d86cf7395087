"""Variables of `env` that are written as if a shell read them. None does: they reach the container as they are."""

from __future__ import annotations

import re

from infra.planning.plan import Container

_REFERENCE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))", re.ASCII)
_OF_IMAGES = frozenset(("HOME", "PATH", "PYTHONPATH", "LD_LIBRARY_PATH"))
_BY_DSTACK = "DSTACK_"


def environment_notes(container: Container) -> list[str]:
    """Return a note for each variable whose value has the name of another one after a `$`. Values are not shown."""
    names = _OF_IMAGES | {name for name, _ in container.environment}
    notes: list[str] = []
    for name, value in container.environment:
        if not isinstance(value, str):
            continue
        meant = [braced or plain for braced, plain in _REFERENCE.findall(value)]
        other = next((each for each in meant if each in names or each.startswith(_BY_DSTACK)), None)
        if other is not None:
            notes.append(
                f"env {name} gets the characters ${other}, as in dstack, because no shell reads env. If you mean the "
                f"value of {other}, write it in commands: `export {name}=…`."
            )
    return notes
