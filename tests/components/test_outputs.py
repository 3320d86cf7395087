"""What a stack says: the commands are run by a shell, with a curl and a pulumi that note what they were given."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.aws.recording import Recording
from tests.components.conftest import GATEWAY
from tests.components.deploying import Account

AWKWARD = 'it\'s a "model" for $HOME `pwd` \\ and ünïcode'


def pasted(command: str, folder: Path) -> list[str]:
    """The arguments that curl is given when the command is pasted into a shell."""
    folder.mkdir(exist_ok=True)
    for name, body in {
        "curl": 'for word in "$@"; do printf "%s\\0" "$word"; done',
        "pulumi": """printf '%s' '{"alice": "ss-alices-key", "bob": "ss-bobs-key"}'; echo "$@" >&2""",
    }.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(["/bin/sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split("\0")[:-1]


def test_the_command_sends_the_first_key_of_the_gateway(service: Recording, tmp_path: Path) -> None:
    given = pasted(str(service.exports["curl"]), tmp_path / "bin")
    assert given[:-1] == [
        "https://gateway.example.com/v1/chat/completions",
        "-H",
        "Content-Type: application/json",
        "-H",
        "Authorization: Bearer ss-alices-key",
        "-d",
    ]
    assert json.loads(given[-1]) == {
        "model": "mistralai/Mistral-7B-Instruct-v0.1",
        "messages": [{"role": "user", "content": "What is Deep Learning?"}],
        "max_tokens": 128,
    }


def test_a_model_of_any_name_can_be_asked_for(account: Account, tmp_path: Path) -> None:
    configuration: dict[str, Any] = {
        "type": "service",
        "image": "nginx",
        "port": 80,
        "auth": False,
        "model": {"type": "chat", "name": AWKWARD, "format": "openai"},
        "resources": {"gpu": "24GB"},
    }
    path = account.with_gateway(GATEWAY).written("serve.yml", json.dumps(configuration))
    service = account.up("run", {"configuration": path})
    given = pasted(str(service.exports["curl"]), tmp_path / "bin")
    assert json.loads(given[-1])["model"] == AWKWARD
    assert "Authorization" not in str(given)
