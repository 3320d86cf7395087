"""Whether a replica may get requests. Its failures and its silence decide, with the time from the caller."""

from __future__ import annotations

import asyncio
from collections import deque

_MANY = 3
"""Failures in a row that put a replica aside. One or two may be the fault of a request."""
_FIRST_PAUSE = 2.0
"""Seconds. A server that is restarted takes longer, one that had a short fault does not."""
_LONGEST_PAUSE = 30.0
"""Seconds. A replica that came back gets requests after so long at the latest."""
_MOST_DOUBLINGS = 5
_TRUSTED = 4
"""Requests without an answer that a replica may have before it is asked whether it is there. At most so many wait for
one that hangs, beside those that it already had."""
_NEW = 2
"""The same for a replica that has not answered a request to its end yet."""
_DOUBTED = 1
"""The same for a replica whose last answer was a failure."""
FAILING = frozenset(range(500, 600)) - {501, 503, 505}
"""Statuses that say that a replica is broken. 501 and 505 speak of the request: of its method and of its version."""
BUSY = frozenset((429, 503))
"""Statuses that say that a replica has too much to do. To say so is quick: it has nothing in flight then."""
_BUSY_FOR = 1.0
"""Seconds for which a replica that said so comes after the others."""


class News:
    """Wakes requests that wait until a replica of their run shows that it answers."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Wait for the next news for this request. Requests that have waited longer come first."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def tell(self, most: int) -> None:
        """Wake this many requests, which then look at the replicas again."""
        while self._waiting and most > 0:
            future = self._waiting.popleft()
            if not future.done():
                future.set_result(None)
                most -= 1

    def tell_all(self) -> None:
        """Wake all requests."""
        self.tell(len(self._waiting))


class Health:
    """What is known of one replica. For an address that is `alone`, nothing is kept, because there is no other one to
    ask.

    A replica is well when `silent < limit and not aside_until`. Times are in seconds, by the clock of the event loop.
    """

    __slots__ = (
        "_on_trial",
        "alone",
        "aside_until",
        "busy_until",
        "failed_times",
        "failures",
        "limit",
        "news",
        "probe",
        "probe_since",
        "silent",
    )

    def __init__(self, news: News | None = None) -> None:
        """`news`: shared by the run's replicas; None: nobody else can have its requests."""
        self.alone = news is None
        self.news = news or News()
        self.failures = 0
        """In a row."""
        self.failed_times = 0
        """Ever. What was asked before it failed last says nothing of it now."""
        self._on_trial = False
        """It was put aside, and has one request to show that it is back."""
        self.aside_until = 0.0
        """When it may be tried again; 0 when it is not put aside."""
        self.busy_until = 0.0
        """Until then, others are asked first."""
        self.silent = 0
        """Requests that it was given since it last showed that it is there."""
        self.limit = _NEW
        self.probe: asyncio.Task[None] | None = None
        """A question that is under way, whether it is there."""
        self.probe_since = 0.0

    def given(self, now: float) -> None:
        """Note that it gets a request. After a pause, this is the only one until it is answered."""
        self.silent += 1
        if self.failures >= _MANY and not self.aside_until:
            self._on_trial = True
            self.aside_until = now + self._pause()

    def there(self) -> None:
        """Note that it answers: the status of a request has arrived."""
        self.silent = 0
        self.news.tell(self.limit)

    def passed(self) -> None:
        """Note that it answered a question. After a pause, it can get a request."""
        self.aside_until = 0.0
        self._on_trial = False
        self.there()

    def succeeded(self, asked_at: int) -> None:
        """Note that it answered a request to the end. `asked_at`: its `failed_times` when it was asked."""
        if asked_at != self.failed_times:
            return
        self.failures = 0
        self.limit = _TRUSTED
        self.aside_until = 0.0
        self._on_trial = False

    def busy(self, now: float) -> None:
        """Note that it said that it has too much to do."""
        self.busy_until = now + _BUSY_FOR

    def failed(self, now: float) -> float:
        """Note a failure, and return the seconds for which it is put aside now; 0: it is not, or it was already.

        The requests that it had under way when it was put aside fail too, and do not count.
        """
        self.failed_times += 1
        if self.alone or (now < self.aside_until and not self._on_trial):
            return 0.0
        self.failures += 1
        self.limit = _DOUBTED
        self._on_trial = False
        if self.failures < _MANY:
            return 0.0
        pause = self._pause()
        self.aside_until = now + pause
        return pause

    def _pause(self) -> float:
        return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(self.failures - _MANY, _MOST_DOUBLINGS))
