"""The steps of the demo: a title, a command for bash, and what of its output says that it worked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

GATEWAY, TGI, VLLM = "gateway", "tgi", "vllm"
STAYS = ("aws_iam_role", "aws_route53_record")
"""The role for API Gateway's logs, and the record that validates the certificate."""
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
            title="deploy two services at once: TGI and vLLM",
            command=_at_once(_up(TGI, "cloud/demo/tgi.dstack.yml"), _up(VLLM, "examples/vllm/serve.dstack.yml")),
            answered=_resources,
        ),
        *(
            step
            for stack in (TGI, VLLM)
            for step in (
                Step(title=f"{stack}: its own curl command", command=_curl(stack), answered=_content),
                Step(title=f"{stack}: OpenAI's SDK, streamed", command=f"{sdk} {stack}", answered=_any_text),
            )
        ),
        Step(title="make status", command="make --no-print-directory status", answered=_status),
        Step(
            title="make smoke",
            command=f"make --no-print-directory smoke STACK={VLLM} ARGS='--stream-seconds 5'",
            answered=_smoke,
        ),
        Step(title="destroy both services", command=_at_once(_destroy(TGI), _destroy(VLLM)), answered=_resources),
        Step(title="destroy the gateway", command=_destroy(GATEWAY), answered=_resources),
        Step(title="what is left", command='curl -fsS "$AWS_ENDPOINT_URL/cloud/resources"', answered=_left),
    )


def _up(stack: str, configuration: str, *settings: str) -> str:
    lines = [
        f"pulumi stack init {stack}",
        f"pulumi config set --stack {stack} configuration {configuration}",
        *(f"pulumi config set --stack {stack} {setting}" for setting in settings),
        f"pulumi up --yes --skip-preview --stack {stack}",
    ]
    return " && ".join(lines)


def _destroy(stack: str) -> str:
    return f"pulumi destroy --yes --skip-preview --stack {stack}"


def _at_once(*commands: str) -> str:
    """All of them are over before it ends, with the status of the first that failed."""
    begun = " ".join(f"{{ {command}; }} & begun+=($!);" for command in commands)
    return f'begun=(); {begun} for one in "${{begun[@]}}"; do wait "$one" || exit $?; done'


def _curl(stack: str) -> str:
    return f'command=$(pulumi stack output curl --show-secrets --stack {stack}) && echo "$command" && eval "$command"'


def _resources(output: str) -> str | None:
    found = re.findall(r"^ *([+~-]) (\d+) (created|updated|deleted)", output, re.MULTILINE)
    return ", ".join(f"{count} resources {what}" for _, count, what in found) or None


def _content(output: str) -> str | None:
    """The text of a chat completion, which is the last line."""
    lines = output.splitlines()
    try:
        text: str = json.loads(lines[-1])["choices"][0]["message"]["content"]
    except (IndexError, KeyError, TypeError, ValueError):
        return None
    return " ".join(text.split())[:60] or None


def _any_text(output: str) -> str | None:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:60] if lines else None


def _status(output: str) -> str | None:
    """Both services serve, with all their replicas."""
    found = re.finditer(r"^(\S+) +(serving: (\d+) of \3 healthy)", output, re.MULTILINE)
    serving = {each[1]: each[2] for each in found}
    return "; ".join(f"{name} {text}" for name, text in serving.items()) if serving.keys() >= {TGI, VLLM} else None


def _left(output: str) -> str | None:
    """Only what AWS would keep too (docs/teardown.md)."""
    try:
        kinds = sorted(one["kind"] for one in json.loads(output))
    except (KeyError, TypeError, ValueError):
        return None
    return f"only what is meant to stay: {', '.join(kinds)}" if kinds == list(STAYS) else None


def _smoke(output: str) -> str | None:
    good, bad = output.count(" ok "), output.count("FAILED")
    return f"{good} checks are good" if good and not bad else None
