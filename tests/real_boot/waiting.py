"""Waiting for what gives no event."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(found: Callable[[], T], *, within: float, what: str) -> T:
    """Return the first result of `found` that is true. It is called twice a second.

    Raises:
        TimeoutError: there is none within `within` seconds.
    """
    end = time.monotonic() + within
    while not (result := found()):
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {within} s")
        time.sleep(0.5)
    return result
