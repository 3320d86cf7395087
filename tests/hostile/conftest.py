"""One gateway within its bounds for all tests of a module, and a scripted upstream behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateway.serving import Bench, Loop
from tests.hostile.arena import TEMPLATE
from tests.hostile.limited import Limited, limited
from tests.support.requirements import require


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def bench(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The registry has a model `m` of format tgi, `o` of format openai, and `v`, which looks at images."""
    bench = Bench(loop, tmp_path_factory.mktemp("registry"))
    bench.register(
        bench.service(chat_template=TEMPLATE),
        bench.service("passed", model="o", format="openai", chat_template=None),
        bench.service("seen", model="v", vision=True),
    )
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def gateway(bench: Bench) -> Iterator[Limited]:
    """A process of 256 MB."""
    require("linux")
    with limited(bench.file) as found:
        yield found
