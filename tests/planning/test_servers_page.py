"""The page about model servers has the tables of the program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from infra.planning.known_servers import SERVERS
from infra.planning.server_memory import Setting
from infra.planning.servers import LOCAL, Server

PAGE = Path(__file__).parents[2] / "docs/servers.md"
NAMES = {"own": "its own names", "any": "any name", "varies": "not known"}


def servers() -> str:
    head = ("server", "command", "port", "listens", "health path", "OpenAI API")
    return table(head, ([*cells] for cells in map(server_row, SERVERS)))


def server_row(server: Server) -> Sequence[str]:
    health = f"`{server.health}`"
    if server.model_health is not None:
        health += f", `{server.model_health.format(model='<model>')}`"
    return (
        server.name,
        code([*map(" ".join, server.programs), *(f"python -m {module}" for module in server.modules)]) or "its image",
        f"`{server.port}`"
        + ("" if "PORT" not in server.image_variables else f", in its image `{server.image_variables['PORT']}`"),
        listens(server),
        health,
        "none" if server.prefix is None else f"`{server.prefix}`",
    )


def models() -> str:
    head = (
        "server",
        "a model is on",
        "option for GPUs",
        "weights",
        "option for the folder",
        "answers to",
        "option for names",
        "writes no text",
    )
    return table(
        head,
        (
            [
                server.name,
                "one GPU" if server.spread == "one" else "all GPUs",
                code([*(names[0] for names in server.parallel), *server.parallel_variables]) or "none",
                code(server.caches) or "none",
                (server.caches and code([*server.cache_options, *server.cache_variables])) or "none",
                NAMES[server.names],
                code([*server.name_options[:1], *server.name_variables]) or "none",
                pooling(server),
            ]
            for server in SERVERS
        ),
    )


def pooling(server: Server) -> str:
    if not server.generates:
        return "never"
    options = [f"{name} {value}" for name, values in server.pooling.items() for value in values]
    switches = [name for name, values in server.pooling.items() if not values]
    return code([*options, *switches, *server.pooling_variables]) or ""


def memory() -> str:
    head = ("server", "length of sequences", "number of sequences", "share of the memory", "type of the cache")
    return table(
        head,
        (
            [
                server.name,
                setting(server.memory.length),
                setting(server.memory.sequences),
                f"{setting(server.memory.share)}, by default {server.memory.default_share:g}"
                + (" of what the weights leave" if server.memory.share_of == "free" else ""),
                setting(server.memory.cache_type),
            ]
            for server in SERVERS
            if server.memory is not None
        ),
    )


def metrics() -> str:
    head = ("server", "path", "running", "waiting", "finished requests", "generated tokens")
    return table(
        head,
        (
            [server.name, f"`{told.path}`", *map(named, (told.running, told.waiting, told.requests, told.tokens))]
            for server in SERVERS
            if (told := server.metrics) is not None
        ),
    )


def named(metric: str | None) -> str:
    return "none" if metric is None else f"`{metric}`"


def setting(one: Setting) -> str:
    return code([*one.options[:1], *one.variables]) or "none"


def code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def listens(server: Server) -> str:
    if server.host != LOCAL:
        return "everywhere"
    return "127.0.0.1" + (", in its image everywhere" if server.host_variables else "")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("servers", "end", servers()),
        ("models", "end", models()),
        ("memory", "end", memory()),
        ("metrics", "end metrics", metrics()),
    ],
)
def test_the_page_has_the_table(begin: str, end: str, expected: str) -> None:
    found = re.search(rf"<!-- {begin} -->\n(.*?)\n?<!-- {end} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == expected
