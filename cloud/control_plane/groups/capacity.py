"""What EC2 cannot start now. Everything is available, unless `PUT /cloud/capacity` says something else."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

ANY = None
_missing: dict[tuple[str, str | None, str | None], str | None] = {}
"""Type, zone and `spot` or `on-demand`, each of the last two `None` for any -> AWS's message, or `None` for the usual
one."""


def get(_: Any) -> Mapping[str, Any]:
    """Answer `GET /cloud/capacity`: what is not available."""
    return {"missing": listed()}


def put(request: Any) -> Mapping[str, Any]:
    """`PUT /cloud/capacity`: `{"type", "available": bool, "zone"?, "purchase"?: "spot" | "on-demand", "message"?}`.

    `message` is a failure of AWS's own, as `infra/readiness/launch_failures.csv` knows them. Raises ValueError for
    another body.
    """
    known = {"type", "available", "zone", "purchase", "message"}
    body: dict[str, Any] = dict(json.loads(request.data))
    if not isinstance(body.get("type"), str) or set(body) - known:
        raise ValueError(f"capacity needs a type and available, and may have {', '.join(sorted(known))}")
    if not isinstance(body.get("available"), bool) or body.get("purchase") not in (None, "spot", "on-demand"):
        raise ValueError("available must be true or false, purchase must be spot or on-demand")
    set_available(
        body["type"],
        available=body["available"],
        zone=body.get("zone"),
        purchase=body.get("purchase"),
        message=body.get("message"),
    )
    return get(request)


def set_available(
    type: str, *, available: bool, zone: str | None = ANY, purchase: str | None = ANY, message: str | None = None
) -> None:
    """Make an instance type available or not. Available without a zone: everywhere."""
    if not available:
        _missing[type, zone, purchase] = message
        return
    for key in [key for key in _missing if key[0] == type]:
        if zone in (ANY, key[1]) and purchase in (ANY, key[2]):
            del _missing[key]


def everything() -> None:
    """Make everything available."""
    _missing.clear()


def is_missing(type: str, zone: str, *, spot: bool) -> bool:
    """Whether EC2 cannot start an instance of a type in a zone."""
    return _key(type, zone, spot=spot) is not None


def message(type: str, zone: str, *, spot: bool) -> str | None:
    """The message that a test gave; `None`: the usual one."""
    key = _key(type, zone, spot=spot)
    return None if key is None else _missing[key]


def listed() -> Sequence[Mapping[str, Any]]:
    """Return what is not available."""
    return [
        {"type": type, "zone": zone, "purchase": purchase, "message": message}
        for (type, zone, purchase), message in _missing.items()
    ]


def _key(type: str, zone: str, *, spot: bool) -> tuple[str, str | None, str | None] | None:
    purchase = "spot" if spot else "on-demand"
    keys = ((type, at, by) for at in (zone, ANY) for by in (purchase, ANY))
    return next((key for key in keys if key in _missing), None)
