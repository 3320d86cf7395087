"""Notes about the paths at which a service answers, for configurations that run without a gateway in dstack."""

from __future__ import annotations

from infra.configuration import ServiceConfiguration


def path_notes(configuration: ServiceConfiguration, run: str) -> list[str]:
    """Return what `gateway: false` and `strip_prefix: false` mean."""
    notes: list[str] = []
    if configuration.gateway is False:
        notes.append(
            "gateway is false: dstack's own server would forward requests. Here the gateway of the stack named gateway "
            f"does, at /services/{run}/ in place of dstack's /proxy/services/<project>/{run}/."
        )
    if not configuration.strip_prefix:
        notes.append(
            f"strip_prefix is false: the service gets paths with /services/{run} at their beginning, if the caller "
            "used them. Requests to the host name of the run have no prefix."
        )
    return notes
