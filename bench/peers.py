"""`python -m bench.peers`: install what `make bench` compares with, each in an environment of its own.

Into `.cache/peers/`, some 700 MB in all, never into the repository's environment. Removing the folder undoes it.
"""

from __future__ import annotations

import subprocess
import sys
import venv

from bench.contenders import PEERS

REQUIREMENTS = {
    "dstack": ["dstack[gateway]==0.22.5", "uvicorn", "uvloop", "httptools"],
    "litellm": ["litellm[proxy]==1.106.2"],
}
"""Pinned, so that figures of different days compare the same things."""


def main() -> int:
    """Install what is missing; the exit status."""
    for name, requirements in REQUIREMENTS.items():
        folder = PEERS / name
        done = folder / ".installed"
        if done.exists() and done.read_text() == "\n".join(requirements):
            sys.stdout.write(f"{name}: installed already in {folder}\n")
            continue
        sys.stdout.write(f"{name}: installing {', '.join(requirements)} into {folder} …\n")
        sys.stdout.flush()
        venv.create(folder, with_pip=True, clear=True)
        command = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        if subprocess.run([*command, *requirements], check=False).returncode:
            sys.stderr.write(f"{name}: pip failed, its message stands above\n")
            return 1
        done.write_text("\n".join(requirements))
    return 0


if __name__ == "__main__":
    sys.exit(main())
