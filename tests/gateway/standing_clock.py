"""An event loop whose clock can stand still, and then moves only where a test moves it.

Everything that the gateway does after a time is done by this clock. While it stands, no delay of the machine is a
timeout, and a timeout takes no time.
"""

from __future__ import annotations

import asyncio

_STEPS = 10
"""In one stretch of time, so that timers that follow each other have their turns."""
_ROUNDS = 50
"""Of the loop, in which it reads and handles everything that was sent to it before."""


class StandingLoop(asyncio.SelectorEventLoop):
    """An event loop with such a clock. The clock runs until `stands` is set."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        self._stands_at: float | None = None

    def time(self) -> float:
        """Seconds of the loop's clock, which never goes back."""
        return (super().time() if self._stands_at is None else self._stands_at) + self._ahead

    @property
    def stands(self) -> bool:
        """Whether the clock stands."""
        return self._stands_at is not None

    @stands.setter
    def stands(self, stands: bool) -> None:
        self._stands_at = super().time() if stands else None

    async def pass_time(self, seconds: float) -> None:
        """Let so much time pass, after what was sent before, and wait until its timers have run."""
        await _settle()
        for _ in range(_STEPS):
            self._ahead += seconds / _STEPS
            await _settle()


async def silence(seconds: float) -> None:
    """Let time pass for the running loop, and wait forever: for scripts of an upstream that says nothing more."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, StandingLoop)
    assert loop.stands, "ask for the fixture `clock`"
    await loop.pass_time(seconds)
    await asyncio.Event().wait()


async def _settle() -> None:
    for _ in range(_ROUNDS):
        await asyncio.sleep(0)
