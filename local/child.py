"""Runs a module as a process that ends with the one that started it: `python -m local.child MODULE [ARGUMENT…]`.

Standard input is a pipe from the parent, which writes nothing into it. When the parent ends in any way, the pipe
closes, and this process ends too. The module does not notice the pipe. Waiting for the end of a pipe costs no processor
time and works on every system. Checking the parent's process id costs time, and prctl exists only on Linux.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

GRACE = 3.0
"""Seconds that the module has to finish after the parent is gone."""


def main() -> None:
    """Become `python -m MODULE ARGUMENT…`, and watch the pipe from the parent."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m local.child MODULE [ARGUMENT…]")
    threading.Thread(target=_end_with_parent, daemon=True, name="line to the parent").start()
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _end_with_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(1)


if __name__ == "__main__":
    main()
