"""The page about model servers has the table of the program."""

from __future__ import annotations

import re
from pathlib import Path

from infra.planning.known_servers import SERVERS
from infra.planning.servers import LOCAL, Server

PAGE = Path(__file__).parents[2] / "docs/servers.md"


def row(server: Server) -> str:
    health = f"`{server.health}`"
    if server.model_health is not None:
        health += f", `{server.model_health.format(model='<model>')}`"
    cells = (
        server.name,
        ", ".join(f"`{' '.join(words)}`" for words in [*server.programs, *(("python -m", m) for m in server.modules)])
        or "its image",
        f"`{server.port}`"
        + ("" if "PORT" not in server.image_variables else f", in its image `{server.image_variables['PORT']}`"),
        listens(server),
        health,
        "none" if server.prefix is None else f"`{server.prefix}`",
        "one GPU" if server.spread == "one" else "all GPUs",
        ", ".join(f"`{path}`" for path in server.caches) or "none",
        {"own": "its own names", "any": "any name", "varies": "not known"}[server.names],
    )
    return f"| {' | '.join(cells)} |"


def listens(server: Server) -> str:
    if server.host != LOCAL:
        return "everywhere"
    return "127.0.0.1" + (", in its image everywhere" if server.host_variables else "")


def table() -> str:
    head = (
        "server",
        "command",
        "port",
        "listens",
        "health path",
        "OpenAI API",
        "a model is on",
        "weights",
        "answers to",
    )
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *map(row, SERVERS)])


def metrics_table() -> str:
    head = ("server", "path", "running", "waiting", "finished requests", "generated tokens")
    rows = [
        (server.name, f"`{told.path}`", *map(named, (told.running, told.waiting, told.requests, told.tokens)))
        for server in SERVERS
        if (told := server.metrics) is not None
    ]
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def named(metric: str | None) -> str:
    return "none" if metric is None else f"`{metric}`"


def between(begin: str, end: str) -> str:
    found = re.search(rf"<!-- {begin} -->\n(.*?)\n?<!-- {end} -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_has_the_table_of_servers() -> None:
    assert between("servers", "end") == table()


def test_the_page_has_the_table_of_metrics() -> None:
    assert between("metrics", "end metrics") == metrics_table()
