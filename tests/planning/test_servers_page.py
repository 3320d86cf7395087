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


def test_the_page_has_the_table() -> None:
    found = re.search(r"<!-- servers -->\n(.*?)\n?<!-- end -->", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == table()
