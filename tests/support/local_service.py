"""`python -m local` as tests use it: a real one, on a port of the OS's choice, ended with the block."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.processes import ROOT, Process, python, running

MISTRAL = "examples/mistral/serve.dstack.yml"
LLAMA_2 = "examples/llama-2/serve.dstack.yml"
MISTRAL_MODEL = "mistralai/Mistral-7B-Instruct-v0.1"
LLAMA_2_MODEL = "TheBloke/Llama-2-13B-chat-GPTQ"

READY = "Ctrl-C ends everything."


@dataclass(frozen=True)
class LocalService:
    """What is being served."""

    process: Process
    banner: str
    port: int
    runs: tuple[str, ...]
    """Run names, in the order of the configurations."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def run(self) -> str:
        return self.runs[0]


@contextlib.contextmanager
def serving(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path = ROOT, within: float = 60
) -> Iterator[LocalService]:
    """Start `python -m local ARGUMENTS… --port 0` and wait for its banner."""
    with running(python("-m", "local", *arguments, "--port", "0"), env=env, cwd=cwd) as process:
        yield described(process, process.wait_for(READY, within=within))


def described(process: Process, banner: str) -> LocalService:
    """What a banner says."""
    addresses = re.findall(r"http://127\.0\.0\.1:(\d+)/services/([a-z0-9-]+)/ and", banner)
    if not addresses:
        raise AssertionError(f"a banner without a run's address:\n{banner}")
    return LocalService(process, banner, int(addresses[0][0]), tuple(run for _, run in addresses))
