"""Runs in the machine's Debian: prints, as JSON, the scripts that cloud-init's own parser finds in user data.

Its standard input has the user data, in base64, one a line. For each, it prints a list of what cloud-init would run.
"""

from __future__ import annotations

import base64
import json
import logging
import sys
import tempfile
from pathlib import Path

from cloudinit import handlers, helpers, user_data
from cloudinit.handlers.shell_script import ShellScriptPartHandler


def scripts(data: bytes) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        paths = helpers.Paths({"cloud_dir": folder})
        shell = ShellScriptPartHandler(paths)
        shell.script_dir = f"{folder}/scripts"
        message = user_data.UserDataProcessor(paths).process(data)
        registered = dict.fromkeys(shell.list_types(), shell)
        settings = {"excluded": [], "handlers": registered, "data": None, "frequency": "always"}
        handlers.walk(message, handlers.walker_callback, settings)
        return [path.read_text() for path in sorted(Path(shell.script_dir).glob("*"))]


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    print(json.dumps([scripts(base64.b64decode(line)) for line in sys.stdin]))
