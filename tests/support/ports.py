"""Ports of this machine that no other program gets while a test uses them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from local.serving import held


@contextlib.contextmanager
def held_port() -> Iterator[int]:
    """A port of 127.0.0.1 for the time of the block. It refuses connections until a program listens there.

    That program has to set SO_REUSEADDR, as servers do. Nobody else gets the port: the OS gives none that is bound.
    """
    with held() as holding:
        yield holding.getsockname()[1]
