"""The AWS CLI of all machines: `python -m cloud.machines.aws_cli SOCKET`.

AWS's own CLI needs most of a second of a processor to start, and a boot calls it thirty times. So one process loads it
once, and each call is a fork of that process, with the arguments, the variables and the files of the caller. It takes
calls as `calls.py` says, and ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import threading
from pathlib import Path

from awscli.clidriver import CLIDriver, create_clidriver  # pyright: ignore[reportMissingTypeStubs]

from cloud.machines.calls import listen, receive

SERVICES = ("autoscaling", "dynamodb", "ecr", "logs", "s3", "ssm")
"""What the boot script calls. Their descriptions are read once."""


def main() -> None:
    """Answer calls until standard input ends."""
    driver = create_clidriver()
    driver._get_command_table()  # pyright: ignore[reportPrivateUsage]  # noqa: SLF001
    for service in SERVICES:
        driver.session.get_service_model(service)
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


def _answer(driver: CLIDriver, connection: socket.socket) -> None:
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
