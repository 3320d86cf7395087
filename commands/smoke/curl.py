"""The check with curl: what a user pastes first."""

from __future__ import annotations

import json
import subprocess

from commands.smoke.outcome import CheckFailed, CheckSkipped
from commands.smoke.target import Target

PATIENCE = 120
"""Seconds."""


def try_curl(target: Target) -> str:
    """Run the command in the stack's output `curl`, or else a similar one. curl gets the key through a pipe, so that no
    process list shows it."""
    if target.curl is not None:
        # The pasted command reads its key itself. curl accepts its options in any order.
        pasted = f"curl --silent --show-error --write-out '\\n%{{http_code}}' {target.curl.removeprefix('curl ')}"
        return _answered(["bash", "-c", pasted], "", target, what="the stack's curl")
    if target.url is None:
        raise CheckSkipped("only a gateway is tested")
    command = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", "--config", "-"]
    return _answered(command, _config(target), target, what="curl")


def _config(target: Target) -> str:
    """Return the request as a config file of curl."""
    lines = [f"header = {_quoted(f'{name}: {value}')}" for name, value in target.headers.items()]
    if target.model is None:
        return "\n".join([f"url = {_quoted(f'{target.url}/')}", *lines])
    body = {"model": target.model, "messages": [{"role": "user", "content": "Say yes."}], "max_tokens": 8}
    return "\n".join(
        [
            f"url = {_quoted(f'{target.openai_base_url}/chat/completions')}",
            *lines,
            f"header = {_quoted('Content-Type: application/json')}",
            f"data = {_quoted(json.dumps(body))}",
        ]
    )


def _answered(command: list[str], given: str, target: Target, *, what: str) -> str:
    """Return how a command was answered. A model must answer with 200. A service without a model can answer with any
    status but 401 and those from 500 on."""
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except FileNotFoundError:
        raise CheckSkipped(f"there is no {command[0]} command") from None
    except subprocess.TimeoutExpired:
        raise CheckFailed(f"{what} has no answer after {PATIENCE} s") from None
    body, _, status = done.stdout.rpartition("\n")
    if done.returncode != 0:
        raise CheckFailed(f"{what} ends with {done.returncode}: {done.stderr.strip()[-200:]}")
    if status != "200" and (target.model is not None or not "200" <= status < "500" or status == "401"):
        raise CheckFailed(f"{what} is answered with {status}")
    return f"{what} is answered with {status}, {len(body.encode())} bytes"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
