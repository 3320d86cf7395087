"""The last lines that the containers of new replicas wrote."""

from __future__ import annotations

from infra.configuration.problem import printable
from infra.readiness.seen import Seen


class LastLines:
    """Remember them from one look to the next: the state item of a replica that was replaced can be gone."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._outputs: dict[str, str] = {}

    def remember(self, seen: Seen) -> None:
        """Remember the lines in the state items of replicas of the expected version."""
        own = {replica.instance for replica in seen.group.replicas if replica.version == self._version}
        for state in seen.states:
            if state.output is not None and state.instance in own:
                self._outputs.pop(state.instance, None)  # the newest is the last
                self._outputs[state.instance] = state.output

    def report(self, instance: str | None) -> list[str]:
        """Return the lines of a report about the container of a replica, or of the newest one if none is named."""
        if instance is None and self._outputs:
            instance = list(self._outputs)[-1]
        if instance is None or instance not in self._outputs:
            return []
        written = [printable(line) for line in self._outputs[instance].splitlines()]
        what = "line" if len(written) == 1 else f"{len(written)} lines"
        return [f"  the last {what} of the container on {instance}:", *(f"    {line}" for line in written)]
