"""The one script of a replica, as EC2 takes it: base64 of a gzip'd script that begins with `#!`.

cloud-init decompresses user data and then looks at how it begins (cloudinit/user_data.py: `decomp_gzip`, then
`type_from_starts_with`), so a gzip'd script runs as a plain one does. It takes for an e-mail whatever has
`MIME-Version:` in its first 4,096 bytes (`convert_string`), so what users write comes after them.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

from infra.planning.boot.parameters import parameters
from infra.planning.boot.settings import settings
from infra.planning.plan import ServicePlan

LARGEST_USER_DATA = 16_384
"""Bytes, before base64 (EC2 user guide, "Instance user data")."""
PARTS = ("report", "disk", "gpus", "parameters", "image", "container", "causes", "serving", "unit")
"""Files beside this one, in the order in which they are put together."""

_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
"""Deflate, no flags, no time, best compression, no operating system (RFC 1952); what `gzip` writes here hangs on
Python's version."""
_NAMES = ("region", "table", "log_group")


class UserDataTooLarge(ValueError):
    """The script is more than EC2 takes."""


def user_data(
    plan: ServicePlan, *, region: str, table: str, log_group: str, parameter_versions: Mapping[str, int]
) -> str:
    """User data of a replica, in base64; the same arguments make the same bytes.

    Args:
        region: where the table, the log group and the parameters are.
        table: name of the registry's table, which state items are put into.
        log_group: name of the run's own log group; streams are `<instance>/boot` and `<instance>/container`.
        parameter_versions: of each of `parameters(plan)`, by its name. A replica reads exactly these versions, and a
            changed secret changes this text.

    Raises:
        UserDataTooLarge: the script has more than 16,384 bytes, compressed.
        ValueError: `parameter_versions` are not those of the plan's parameters.
    """
    compressed = _compress(
        script(plan, region=region, table=table, log_group=log_group, parameter_versions=parameter_versions)
    )
    if len(compressed) > LARGEST_USER_DATA:
        raise UserDataTooLarge(
            f"user data has {len(compressed)} bytes and EC2 takes {LARGEST_USER_DATA}: shorten commands, entrypoint "
            "and the values of env, or put them into the image"
        )
    return base64.b64encode(compressed).decode()


def script(plan: ServicePlan, *, region: str, table: str, log_group: str, parameter_versions: Mapping[str, int]) -> str:
    """The script itself, in ASCII. Arguments as for `user_data`."""
    constants = settings(plan, region=region, table=table, log_group=log_group, parameter_versions=parameter_versions)
    parts = [(Path(__file__).parent / f"{part}.sh").read_text(encoding="ascii") for part in PARTS]
    return "\n".join(["#!/bin/bash\nset -euo pipefail\n", *parts, constants, 'main "$@"\n'])


def bytes_at_most(plan: ServicePlan) -> int:
    """How large the user data of `plan` becomes, whatever names of up to 64 characters, and versions of up to five
    digits, it is given later: these here are such that nothing compresses them."""
    versions = {parameter.name: 10_000 + int(_digest(parameter.name), 16) % 90_000 for parameter in parameters(plan)}
    names = {name: _digest(name) for name in _NAMES}
    return len(_compress(script(plan, **names, parameter_versions=versions)))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _compress(text: str) -> bytes:
    data = text.encode("ascii")
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return _GZIP_HEADER + deflate.compress(data) + deflate.flush() + struct.pack("<LL", zlib.crc32(data), len(data))
