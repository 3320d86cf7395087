"""When a replica that served counts as hung. Its machine decides that, never the load balancer's health check."""

from __future__ import annotations

from infra.configuration import ServiceConfiguration

SILENCE = 600
"""Seconds. A long prompt or a full queue delays an answer by minutes, so less than ten can be a slow server."""
SILENT_PROBES = 3
"""The number of probes in a row without any answer, for probes that are rarer than that."""


def plan_hung_after(configuration: ServiceConfiguration) -> int | None:
    """Return the seconds without an answer to any check after which a replica that served is restarted.

    `None`: never, because `probes` is empty, or because every probe stops when the replica is ready.
    """
    probes = configuration.probes
    if probes is None:
        return SILENCE
    lasting = [probe for probe in probes if not probe.until_ready]
    if not lasting:
        return None
    return max(SILENCE, *(SILENT_PROBES * (probe.interval + probe.timeout) for probe in lasting))
