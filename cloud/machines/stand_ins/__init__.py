"""The programs of a container that stand in for those of its image. Each is what its name says, in a small way.

The files on a container's PATH call `run` with the name that they were started by (`docker/file_system.py`). So a
command line in a configuration runs in a real shell, and fails, prints and ends as it does on AWS.
"""

from __future__ import annotations

import sys
from pathlib import Path

SETTINGS = Path("/run/stand-in")
"""What a stand-in can know: `image`, the image's name, `port`, the container's published port, and `running`, where it
writes how many requests it works on."""


def run(name: str) -> None:
    """Be the program `name`, with the arguments of this process."""
    arguments = sys.argv[1:]
    sys.argv[0] = name
    match name:
        case "numbered-streams":
            from cloud.machines.stand_ins.numbered_streams import main

            main(published_port() or 80)
        case "whoami" | "nginx" | "web-page":
            from cloud.machines.stand_ins.page import serve_page

            serve_page(name, arguments)
        case "uv" | "sudo":
            from cloud.machines.stand_ins.base_image import run_tool

            sys.exit(run_tool(name, arguments))
        case "python" | "python3":
            from cloud.machines.stand_ins.python import run_python

            run_python(name, arguments)
        case "ollama":
            from cloud.machines.stand_ins.ollama import run_ollama

            sys.exit(run_ollama(arguments))
        case _:
            from cloud.machines.stand_ins.model_server import serve_model

            sys.exit(serve_model([name, *arguments]))


def published_port() -> int:
    """Return the port of the container that `docker run` publishes; 0: none, or not known."""
    return int((SETTINGS / "port").read_text())
