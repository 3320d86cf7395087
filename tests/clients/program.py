"""The program of a client: a file `program.py` or `program.mjs` in its folder, run in its environment."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.clients.environments import CACHE, HERE, is_node
from tests.gateway.keys import secret
from tests.support.processes import ROOT

WITHIN = 150
"""Seconds for all that a program is asked to do."""
QUIET = {
    "LANGSMITH_TRACING": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "NODE_NO_WARNINGS": "1",
    "PYTHONWARNINGS": "ignore",
}
"""No reports of clients to their makers, and no warnings about the code of clients."""
OURS = {"NODE_OPTIONS": "", "NODE_PATH": "", "PYTHONPATH": str(ROOT)}
"""Nothing of the caller's environments."""


@dataclass(frozen=True)
class Program:
    """A client's program, which calls the gateway."""

    client: str
    """Whose environment it runs in."""
    of: str
    """Whose folder it is in."""
    folder: Path
    """Where it runs, and its home."""

    def run(self, url: str, *functions: str, **variables: str) -> dict[str, Any]:
        """Return what the functions of the program return. `url` is the gateway's, and each variable is set for it.

        It must write nothing to stderr: no warning, and no connection beyond this machine that was refused.
        """
        environment = {
            **os.environ,
            **OURS,
            **QUIET,
            "GATEWAY": url,
            "KEY": secret("all"),
            "HOME": str(self.folder),
            **variables,
        }
        done = subprocess.run(
            self._command(*functions),
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WITHIN,
        )
        assert (done.returncode, done.stderr) == (0, ""), f"{done.stderr}\n{done.stdout}"
        return json.loads(done.stdout.splitlines()[-1])

    def _command(self, *functions: str) -> list[str]:
        if is_node(self.client):
            return ["node", str(HERE / "call.mjs"), str(self._beside_its_modules()), *functions]
        python = str(CACHE / self.client / "bin" / "python")
        return [python, "-m", "tests.clients.call", str(HERE / self.of / "program.py"), *functions]

    def _beside_its_modules(self) -> Path:
        """Node.js looks for modules beside the file that imports them."""
        modules = self.folder / "node_modules"
        if not modules.exists():
            modules.symlink_to(CACHE / self.client / "node_modules")
        copy = self.folder / "program.mjs"
        copy.write_bytes((HERE / self.of / "program.mjs").read_bytes())
        return copy
