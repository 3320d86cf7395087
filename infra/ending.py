"""How the program's process ends: a refusal shows its message alone, and an interrupt shows nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable
from typing import TypeVar

import pulumi
from pulumi.runtime.stack import wait_for_rpcs

from infra.configuration import ConfigurationError

ALL_IS_SAID = 32
"""The exit status by which Pulumi's language host knows that the program has shown its error. After any other status
but 0, the engine adds "an unhandled error occurred"."""

T = TypeVar("T")


async def end_with_its_message(program: Awaitable[T]) -> T:
    """Return what the program returns, after every `apply` has run. If one of them or the program refuses, show the
    message and end the process.

    The process ends here and not by an exception: Pulumi would first wait for the same `apply`, and then show its
    error again, with a traceback.
    """
    try:
        outputs = await program
        await wait_for_rpcs()
    except (pulumi.RunError, ConfigurationError) as refusal:
        pulumi.error(str(refusal))
        _end()
        raise
    return outputs


def end_when_interrupted() -> None:
    """End the process at once when the engine interrupts it.

    The engine does so, often twice, after an update has failed or was cancelled. By then it accepts nothing from the
    program. Python would show a traceback of `KeyboardInterrupt` each time.
    """
    signal.signal(signal.SIGINT, lambda _signal, _frame: _end())


def refusal_of_aws(error: Exception) -> pulumi.RunError | None:
    """Return the refusal for a failed function of the AWS provider; `None`: another error. Such errors have no type."""
    asked, failed, why = str(error).partition(" failed: ")
    if not failed or not asked.startswith("invoke of "):
        return None
    said = why.rpartition("returned an error: ")[2]
    return pulumi.RunError(f"AWS refuses {asked.rpartition(':')[2]}: {said}")


def _end() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ALL_IS_SAID)
