"""The cold start of the function behind the real Lambda Web Adapter, if one is on PATH."""

from __future__ import annotations

import shutil
import statistics


def cold_start(rounds: int) -> float | None:
    """Return the median seconds from the start of the function's processes to the first byte of an answer; `None`:
    there is no adapter."""
    if shutil.which("lambda-adapter") is None:
        return None
    # The stand-in of Lambda's Runtime API is the one that the tests of the function use.
    from tests.lambda_function.cold_start import cold_starts

    return statistics.median(start.first_byte for start in cold_starts(rounds))
