"""The AWS CLI of all machines: `python -m cloud.machines.aws_cli SOCKET`.

AWS's own CLI needs most of a second of a processor to start, and a boot calls it thirty times. So one process loads it
once, and each call is a fork of that process, with the arguments, the variables and the files of the caller. It takes
calls as `calls.py` says, and ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from cloud.machines.calls import listen, receive

_CLI: Any = importlib.import_module("awscli.clidriver")
"""It has no types."""
CALLS = (
    ("autoscaling", "set-instance-health", "--instance-id", "i", "--health-status", "Unhealthy"),
    ("dynamodb", "put-item", "--table-name", "table", "--item", "{}"),
    ("ecr", "get-login-password"),
    ("logs", "put-log-events", "--log-group-name", "g", "--log-stream-name", "s", "--log-events", "[]"),
    ("s3api", "get-object", "--bucket", "bucket", "--key", "key", os.devnull),
    ("ssm", "get-parameter", "--name", "name"),
)
"""A call of each service that the boot script uses."""
_NOBODY = "http://127.0.0.1:1"
_WARMING = {
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_MAX_ATTEMPTS": "1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


def warmed_driver() -> Any:
    """Return the CLI after a call of each service, to a port where nobody answers: it then has read everything that
    it reads once, which is nine tenths of a call's time."""
    os.environ.update(_WARMING)
    driver = _CLI.create_clidriver()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere), contextlib.redirect_stdout(nowhere):
        for call in CALLS:
            driver.main(["--region", "us-east-1", "--endpoint-url", _NOBODY, *call])
    session = driver.session
    session._credentials = None
    session._register_credential_provider()
    return driver


def main() -> None:
    """Answer calls until standard input ends."""
    driver = warmed_driver()
    gc.freeze()  # a fork that collects garbage would copy everything
    listener = listen(Path(sys.argv[1]))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _answer(driver, connection)
        connection.close()


def _answer(driver: Any, connection: socket.socket) -> None:
    """Be the CLI, for one call."""
    status = 255
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        call = receive(connection)
        if call is None:
            return
        for number, file in enumerate(call.files):
            os.dup2(file, number)
        os.chdir(call.directory)
        os.environ.clear()
        os.environ.update(call.environment)
        threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()
        status = int(driver.main(list(call.arguments)))
    except SystemExit as exit:
        status = exit.code if isinstance(exit.code, int) else 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        with contextlib.suppress(OSError):
            connection.sendall(bytes([status & 255]))
        os._exit(0)


def _end_with_caller(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.recv(1)
    os._exit(1)


if __name__ == "__main__":
    main()
