"""Python of an image: the servers that start with `python -m` are stand-ins, and everything else is real Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.planning.known_servers import SERVERS


def run_python(name: str, arguments: Sequence[str]) -> None:
    """Become Python without any package, or a model server."""
    module = arguments[1] if len(arguments) > 1 and arguments[0] == "-m" else ""
    if any(f"{module}.".startswith(f"{known}.") for server in SERVERS for known in server.modules):
        from cloud.machines.stand_ins.model_server import serve_model

        sys.exit(serve_model([name, *arguments]))
    real = str(Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}"))
    os.execv(real, [real, *arguments])  # noqa: S606
