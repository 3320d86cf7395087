"""The steps of the demo: a title, a command for bash, and what of its output says that it worked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GATEWAY, TGI, VLLM = "gateway", "llama-2", "vllm"
QUESTION = "What is the capital of France?"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step."""

    title: str
    command: str
    """For bash, in the project's folder."""
    answered: Callable[[str], str | None]
    """What answered, from the command's output; `None`: the output is not what it must be."""


def steps(domain: str) -> Sequence[Step]:
    """Return the steps."""
    sdk = ".venv/bin/python -m cloud.demo.ask"
    return (
        Step(
            title="deploy the gateway",
            command=_up(GATEWAY, "examples/gateway.dstack.yml", f"domain {domain}", "protect false"),
            answered=_resources,
        ),
        Step(
            title="deploy a service of TGI",
            command=_up(TGI, "examples/llama-2/serve.dstack.yml", "gpu 24GB"),
            answered=_resources,
        ),
        Step(title="its own curl command", command=_curl(TGI), answered=_any_text),
        Step(title="OpenAI's SDK, streamed", command=f"{sdk} {TGI}", answered=_any_text),
        Step(
            title="deploy a service of vLLM",
            command=_up(VLLM, "examples/vllm/serve.dstack.yml"),
            answered=_resources,
        ),
        Step(title="its own curl command", command=_curl(VLLM), answered=_any_text),
        Step(title="OpenAI's SDK, streamed", command=f"{sdk} {VLLM}", answered=_any_text),
        Step(title="make status", command="make --no-print-directory status", answered=_last_line),
        Step(
            title="make smoke",
            command=f"make --no-print-directory smoke STACK={VLLM} ARGS='--stream-seconds 5'",
            answered=_smoke,
        ),
        *(
            Step(
                title=f"destroy {stack}",
                command=f"pulumi destroy --yes --skip-preview --stack {stack}",
                answered=_resources,
            )
            for stack in (VLLM, TGI, GATEWAY)
        ),
    )


def _up(stack: str, configuration: str, *settings: str) -> str:
    lines = [
        f"pulumi stack init {stack}",
        f"pulumi config set --stack {stack} configuration {configuration}",
        *(f"pulumi config set --stack {stack} {setting}" for setting in settings),
        f"pulumi up --yes --skip-preview --stack {stack}",
    ]
    return " && ".join(lines)


def _curl(stack: str) -> str:
    return f'command=$(pulumi stack output curl --show-secrets --stack {stack}) && echo "$command" && eval "$command"'


def _resources(output: str) -> str | None:
    found = re.findall(r"^ *([+~-]) (\d+) (created|updated|deleted)", output, re.MULTILINE)
    return ", ".join(f"{count} resources {what}" for _, count, what in found) or None


def _any_text(output: str) -> str | None:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:60] if lines else None


def _last_line(output: str) -> str | None:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].strip()[:60] if lines else None


def _smoke(output: str) -> str | None:
    good, bad = output.count(" ok "), output.count("FAILED")
    return f"{good} checks are good" if good and not bad else None
