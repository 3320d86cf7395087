"""The user data of a replica: the boot script, which begins with `#!`, compressed by gzip and in base64.

cloud-init decompresses user data and then looks at its first bytes (cloudinit/user_data.py: `decomp_gzip`, then
`type_from_starts_with`), so a compressed script runs like a plain one. cloud-init treats data with `MIME-Version:` in
its first 4,096 bytes as an e-mail (`convert_string`), so the user's own values come after them.
"""

from __future__ import annotations

import base64
import hashlib
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from infra.planning.boot.parameters import parameters
from infra.planning.boot.settings import settings
from infra.planning.plan import ServicePlan
from infra.planning.private_ecr import pulled_by_role

LARGEST_USER_DATA = 16_384
"""Bytes, before base64 (EC2 user guide, "Instance user data")."""
PARTS = (
    "report",
    "unit",
    "without_cli",
    "output",
    "figures",
    "parameters",
    "probes",
    "hub",
    "disk",
    "liveness",
    "utilization",
    "serving",
    "container",
    "gpus",
    "listening",
    "causes",
    "login",
    "image",
)
"""Files in this folder, in the order in which the script has them. The first has what the others begin with. Any order
of the others works; this one compresses best."""

_UNREAD = re.compile(r"^ *#.*\n| +# [^'\"\n]*$|^ +|^\n", re.MULTILINE)
"""What bash does not read: comments, which are a whole line or the end of a line after which no string ends; empty
lines; the spaces before a line. They are a fifth of the compressed script, and nobody reads them on a replica."""
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
"""Deflate, no flags, no time, best compression, no operating system (RFC 1952). The header that Python's `gzip` writes
depends on Python's version."""
_NAMES = {"region": 16, "table": 64, "log_group": 64}
"""The names that are known later, and how many characters they have at most."""


class UserDataTooLarge(ValueError):
    """The script is larger than EC2 allows."""


def user_data(
    plan: ServicePlan, *, region: str, table: str, log_group: str, parameter_versions: Mapping[str, int]
) -> str:
    """Return the user data of a replica, in base64. The same arguments give the same bytes.

    Args:
        region: the region of the table, the log group and the parameters.
        table: the name of the registry's table, which gets the state items.
        log_group: the name of the run's log group. The streams are `<instance>/boot` and `<instance>/container`.
        parameter_versions: the version of each of `parameters(plan)`, by name. A replica reads exactly these versions,
            so a changed secret changes the user data.

    Raises:
        UserDataTooLarge: the compressed script has more than 16,384 bytes.
        ValueError: `parameter_versions` does not name exactly the plan's parameters.
    """
    compressed = _compress(
        script(plan, region=region, table=table, log_group=log_group, parameter_versions=parameter_versions)
    )
    if len(compressed) > LARGEST_USER_DATA:
        raise UserDataTooLarge(
            f"user data has {len(compressed)} bytes, but EC2 allows {LARGEST_USER_DATA}: shorten commands, entrypoint "
            "and the values of env, or move them into the image"
        )
    return base64.b64encode(compressed).decode()


def script(plan: ServicePlan, *, region: str, table: str, log_group: str, parameter_versions: Mapping[str, int]) -> str:
    """Return the script itself, in ASCII, without what bash does not read, which would count towards EC2's limit.

    The arguments are those of `user_data`.
    """
    constants = settings(plan, region=region, table=table, log_group=log_group, parameter_versions=parameter_versions)
    needed = [part for part in PARTS if _is_needed(part, plan)]
    parts = [_UNREAD.sub("", (Path(__file__).parent / f"{part}.sh").read_text(encoding="ascii")) for part in needed]
    return "\n".join(["#!/bin/bash\nset -euo pipefail\n", *parts, constants, 'main "$@"\n'])


def bytes_at_most(plan: ServicePlan) -> int:
    """Return the largest size of the user data of `plan`. The names, and versions of up to five digits, are known
    later, so this uses ones that do not compress."""
    versions = {parameter.name: 10_000 + int(_digest(parameter.name), 16) % 90_000 for parameter in parameters(plan)}
    names = {name: _digest(name)[:most] for name, most in _NAMES.items()}
    return len(_compress(script(plan, **names, parameter_versions=versions)))


def _is_needed(part: str, plan: ServicePlan) -> bool:
    """Return whether the script of `plan` calls a function of this part."""
    match part:
        case "probes":
            return bool(plan.probes)
        case "utilization":
            return plan.utilization is not None
        case "login":
            return plan.container.registry_login is not None or pulled_by_role(plan.container) is not None
        case _:
            return True


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compress(text: str) -> bytes:
    data = text.encode("ascii")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _GZIP_HEADER + deflate.compress(data) + deflate.flush() + struct.pack("<LL", zlib.crc32(data), len(data))
