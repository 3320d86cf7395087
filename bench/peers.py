"""`python -m bench.peers`: install the programs that `make bench` compares with, each in its own environment.

The environments are in `.cache/peers/`, about 700 MB in all. To remove them, remove this folder.
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
    """Install what is missing, and return the exit status."""
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
