"""The requests of a replica's own probes, as configuration for curl. They can hold secrets, so each is a parameter."""

from __future__ import annotations

from infra.planning.checks import ReplicaProbe

REPLICA_PORT = 8000
"""The port of every replica for the load balancer. It does not depend on the container's port, because AWS replaces a
target group whose port changes."""
PARAMETER = "probe-{}"
_WITH_A_BODY = ("POST", "PUT", "PATCH")


def probe_request(probe: ReplicaProbe) -> str:
    """Return the lines of a configuration file of curl. The request is the one that dstack sends: only the headers that
    the configuration names, and no redirects."""
    lines = [_line("url", f"http://127.0.0.1:{REPLICA_PORT}{probe.path}"), f"max-time = {probe.timeout}"]
    lines += ["head"] if probe.method == "HEAD" else [_line("request", probe.method)]
    lines += [_line("header", f"{name}: {value.reveal()}") for name, value in probe.headers]
    body = "" if probe.body is None and probe.method in _WITH_A_BODY else probe.body and probe.body.reveal()
    if body is not None:
        lines.append(_line("data-raw", body))
        if not any(name.lower() == "content-type" for name, _ in probe.headers):
            lines.append(_line("header", "Content-Type:"))
    return "\n".join(lines) + "\n"


def _line(option: str, value: str) -> str:
    for character, escaped in (
        ("\\", "\\\\"),
        ('"', '\\"'),
        ("\n", "\\n"),
        ("\r", "\\r"),
        ("\t", "\\t"),
        ("\v", "\\v"),
    ):
        value = value.replace(character, escaped)
    return f'{option} = "{value}"'
