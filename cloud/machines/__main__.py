"""`python -m cloud.machines --control-plane URL --folder F [--kind nspawn]`: the machines of the cloud.

It prints `ready` when it looks for instances, and then a line for each machine that came on or ended. SIGTERM, SIGINT
or the end of standard input end it with all machines. Status 1: this machine cannot run them; standard error says why.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path

from cloud.control_plane.client import ControlPlane
from cloud.leftovers import end_marked
from cloud.machines.kinds import KINDS, PLAYED
from cloud.machines.nspawn import control_group
from cloud.machines.nspawn.debian_root import cannot_boot, debian_root
from cloud.machines.nspawn.packages import lowest_layer, project_layer
from cloud.machines.spec import MARK
from cloud.machines.watcher import PROJECT, Watcher
from cloud.possible import no_machines

TABLES = Path(__file__).parent / "docker"


def main() -> int:
    """Run until the end; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m cloud.machines", allow_abbrev=False)
    parser.add_argument("--control-plane", required=True, metavar="URL")
    parser.add_argument("--folder", required=True, type=Path, help="where the machines are; it can have older ones")
    parser.add_argument("--kind", choices=KINDS, default=PLAYED, help="what a machine is")
    given = parser.parse_args()
    if problem := cannot_run() if given.kind == PLAYED else cannot_boot():
        sys.stderr.write(f"{problem}\n")
        return 1
    folder = given.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    end_marked(MARK, str(folder))
    shared = folder / "shared"
    shared.mkdir(exist_ok=True)
    servers = [_server(folder, "cloud.machines.shared_model", str(shared))]
    if given.kind == PLAYED:
        servers.append(_server(folder, "cloud.machines.aws_cli", str(shared / "aws")))
    ended = threading.Event()
    try:
        for server in servers:
            if server.stdout is None or server.stdout.readline() != b"ready\n":
                return 1
        watcher = Watcher(
            ControlPlane(given.control_plane),
            folder,
            module=KINDS[given.kind],
            shared={
                "endpoint": given.control_plane,
                "model": str(shared),
                "tables": str(TABLES),
                **({"aws": str(shared / "aws")} if given.kind == PLAYED else _of_nspawn(shared)),
            },
            say=_say,
        )

        def end(*_: object) -> None:
            ended.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        threading.Thread(target=_wait_for_end, args=(ended,), daemon=True).start()
        threading.Thread(target=watcher.watch, daemon=True).start()
        _say("ready")
        ended.wait()
        watcher.close()
    finally:
        for server in servers:
            server.kill()
            server.wait()
    os._exit(0)  # a thread can wait for the control plane


def _of_nspawn(shared: Path) -> Mapping[str, str]:
    """Return what machines of systemd-nspawn share."""
    control_group.remove_leftovers()
    root = debian_root(_say)
    layers = (lowest_layer(root, _say), project_layer(root, shared))
    return {"root": str(root), "layers": ":".join(map(str, layers))}


def cannot_run() -> str | None:
    """Return why this machine cannot run machines, and what to do; `None`: it can."""
    if problem := no_machines():
        return problem
    if importlib.util.find_spec("awscli") is None:
        return "make cloud needs the AWS CLI in the same Python: make setup, or pip install --no-deps awscli"
    return None


def _server(folder: Path, module: str, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        env={**os.environ, MARK: str(folder), "LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )


def _wait_for_end(ended: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    ended.set()


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
