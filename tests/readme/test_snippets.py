"""Every command and snippet of a page is run as it stands there, except that the port is another one."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.readme.markdown import PAGES, Block, blocks
from tests.support.local_service import READY, LocalService, described
from tests.support.processes import ROOT, running

pytestmark = pytest.mark.xdist_group("readme")

COMMANDS = [(block, command) for page in PAGES for block in blocks(page, "shell") for command in block.commands]
SNIPPETS = [block for page in PAGES for block in blocks(page, "python")]
SERVED = 'make local ARGS="--gpu 24GB"'
"""The command of the README that starts the run which the curl commands and the Python snippets call."""
DRY = {
    "make setup": "-m venv|Nothing to be done",
    "make test": "-m pytest",
    "make smoke": "commands.smoke",
    "make wait": "commands.wait",
    "make status": "commands.status",
    "make logs": "commands.logs",
    "make shell": "commands.shell",
    "make key": "commands.key",
    "make cloud": "-m cloud",
    "make usage": "commands.usage",
}
"""Commands that only `make -n` shows, and what make would run: they install, test, or need an account. tests/cloud runs
`make cloud`."""
ELSEWHERE = ("pulumi ", "export ", "aws ")
"""Commands of a deployment, which tests/readme/test_deploying.py tests."""
INSTALLS = "curl -fsSL https://get.pulumi.com | sh"


def _named(value: Block | str) -> str:
    return f"{value.page} line {value.line}" if isinstance(value, Block) else value.split("\n")[0][:60]


@pytest.fixture(scope="module")
def service() -> Iterator[LocalService]:
    with _started(SERVED) as service:
        yield service


@pytest.mark.parametrize(("block", "command"), COMMANDS, ids=_named)
def test_a_command_of_a_page_works(block: Block, command: str, request: pytest.FixtureRequest) -> None:
    first_words = " ".join(command.split()[:2])
    if command == INSTALLS or command.startswith(ELSEWHERE):
        subprocess.run(["bash", "-n", "-c", command], check=True)
    elif first_words in DRY:
        words = shlex.split(command)
        dry = subprocess.run([*words[:1], "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True)
        assert re.search(DRY[first_words], dry.stdout), dry.stdout
    elif first_words == "make plan":
        shown = [line for line in _output_after(block).splitlines() if line != "…"]
        printed = _bash(command).splitlines()
        assert "pulumi up would create" in "".join(printed)
        assert [line for line in shown if line not in printed] == [], "paste what the command prints now"
    elif command == SERVED:
        assert request.getfixturevalue("service").run == "yellow-cat-1"
    elif command.startswith("make local"):
        with _started(command) as service:
            assert "stands in for" in service.banner
    elif command.startswith("curl"):
        service = request.getfixturevalue("service")
        answer = _bash(_at(command, service))
        chat = "/chat/completions" in command
        assert re.match(r'\{"object":"chat.completion",' if chat else r'\{"generated_text":\s?"', answer), answer
    else:
        assert _bash(command) != "", "it prints what it promises"


@pytest.fixture(scope="module")
def embedding_service() -> Iterator[LocalService]:
    with _started("make local CONFIG=tei") as service:
        yield service


@pytest.mark.parametrize("block", SNIPPETS, ids=_named)
def test_a_snippet_of_a_page_works(block: Block, request: pytest.FixtureRequest) -> None:
    fixture = "embedding_service" if "embeddings" in block.text else "service"
    service: LocalService = request.getfixturevalue(fixture)
    program = _at(block.text, service)
    address = {"OPENAI_BASE_URL": f"{service.url}/v1", "OPENAI_API_KEY": "ss-example"}
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **(address if "OpenAI()" in program else {})},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.strip()


def test_what_the_banner_offers_to_paste_works(service: LocalService) -> None:
    pasted = r"^(curl .*?)\n\n(# pip install openai\nfrom openai.*?)\n\nOpen this page"
    curl, python = re.findall(pasted, service.banner, re.MULTILINE | re.DOTALL)[0]
    assert "generated_text" in _bash(curl)
    answer = subprocess.run([sys.executable, "-c", python], capture_output=True, text=True, timeout=500, check=False)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.strip()


@contextlib.contextmanager
def _started(command: str) -> Iterator[LocalService]:
    """A `make local` of a page, on a free port, for the time of the block."""
    command = re.sub(r" PORT=\d+", "", command) + " PORT=0"
    with running(["bash", "-c", f"exec {command}"]) as process:
        yield described(process, process.wait_for(READY))


def _output_after(block: Block) -> str:
    """The text of the block that follows at once, where that is an output."""
    end = block.line + len(block.text.splitlines())
    return "".join(output.text for output in blocks(block.page, "text") if 0 < output.line - end <= 3)


def _at(text: str, service: LocalService) -> str:
    return text.replace("127.0.0.1:8000", f"127.0.0.1:{service.port}")


def _bash(command: str) -> str:
    """What a command prints; it has to succeed."""
    env = {**os.environ, "SHELLOPTS": "errexit"}
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, env=env, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout
