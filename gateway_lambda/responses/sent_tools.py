"""The tools of a request, by the names under which the model sees them (docs/translation.md#tools-of-responses).

A namespace groups tools, and Codex sends the tools of each MCP server in one. No template knows namespaces, so the
model sees one name, of the namespace and of the tool. The client gets both again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import msgspec

_LONGEST = 64
"""Characters of a function's name."""
_OF_DIGEST = 8


class SentTool(msgspec.Struct, frozen=True):
    """A tool as the client knows it. `custom`: it takes a text."""

    name: str
    namespace: str | None = None
    custom: bool = False


SentTools = Mapping[str, SentTool]
"""By the name that the model sees. Functions without a namespace are left out."""


def shown_name(namespace: str | None, name: str) -> str:
    """Return the name that the model sees: the same one each time, of at most 64 characters."""
    if namespace is None:
        return name
    whole = namespace + ("" if namespace.endswith("_") else "__") + name
    if len(whole) <= _LONGEST:
        return whole
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_OF_DIGEST]
    return f"{whole[: _LONGEST - _OF_DIGEST - 1]}_{digest}"


def sent_tools(body: Mapping[str, Any]) -> SentTools:
    """Return the tools of a request whose tools were read."""
    found: dict[str, SentTool] = {}
    for tool in cast("list[dict[str, Any]]", body.get("tools") or []):
        if tool["type"] == "custom":
            found[tool["name"]] = SentTool(tool["name"], custom=True)
        elif tool["type"] == "namespace":
            namespace: str = tool["name"]
            for inner in tool["tools"]:
                name: str = inner["name"]
                found[shown_name(namespace, name)] = SentTool(name, namespace, inner["type"] == "custom")
    return found
