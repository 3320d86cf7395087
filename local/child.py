"""Runs a module as a process that ends with the one that started it: `python -m local.child MODULE [ARGUMENT…]`.

Standard input is the line to the parent, which writes nothing into it: it is closed when the parent ends, however it
ends, and then so does this process. The module knows nothing of it. Waiting for the end of a pipe costs no processor
time and works wherever Python does, which cannot be said of asking for the parent's process id or of Linux's prctl.
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
    """Become `python -m MODULE ARGUMENT…`, with the line to the parent watched."""
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
