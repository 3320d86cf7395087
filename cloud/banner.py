"""What a user reads when the cloud has started: what is real and what is played, variables to export, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from cloud.addresses import Addresses
from cloud.exports import exports, has_pulumi

PARTS = (
    ("real", "the Pulumi program, its plan and its resources"),
    ("real", "HashiCorp's AWS provider, which creates them, or Pulumi's own AWS plugin if it is installed"),
    ("real", "the boot script of each instance in bash, curl, and AWS's CLI"),
    ("real", "the function's own zip with its start script; the packages in it are those of this machine"),
    ("real", "the model that answers: SmolLM2 with 135 million parameters, in place of yours"),
    ("played", "AWS's API: moto, with what it lacks added"),
    (
        "played",
        "instances: processes with an address of their own; docker and systemd are ours, and GPUs are said to be there",
    ),
    ("played", "Auto Scaling, alarms, the load balancer, API Gateway and Lambda: programs that do what AWS's do"),
    ("not here", "IAM: everything is allowed. Prices, quotas and capacity are made up"),
)


def banner(addresses: Addresses, *, folder: Path, project: Path, domain: str, speed: float) -> str:
    """Return the text."""
    return "\n".join(_lines(addresses, folder, project, domain, speed))


def _lines(addresses: Addresses, folder: Path, project: Path, domain: str, speed: float) -> Iterator[str]:
    for kind, what in PARTS:
        yield f"{kind:9} {what}"
    if speed != 1:
        yield f"AWS's own waiting times run {speed:g} times faster than the clock."
    if not has_pulumi():
        yield "This machine has no pulumi command. One that comes with this cloud is on the PATH below. It runs the"
        yield "same program, without Pulumi's engine: the resources are created by HashiCorp's provider."
    yield ""
    yield "In another terminal, paste these lines:"
    yield ""
    for name, value in exports(addresses, folder, domain).items():
        yield f"export {name}={_quoted(value)}"
    yield f"cd {shlex.quote(str(project))}"
    yield ""
    yield f"Then deploy as on AWS. The domain is {domain}:"
    yield ""
    yield "pulumi stack init gateway"
    yield "pulumi config set configuration examples/gateway.dstack.yml"
    yield f"pulumi config set domain {domain}"
    yield "pulumi config set protect false"
    yield "pulumi up"
    yield ""
    yield "pulumi stack init vllm-1"
    yield "pulumi config set configuration examples/vllm/serve.dstack.yml"
    yield "pulumi up"
    yield "pulumi stack output curl"
    yield ""
    yield f"The cloud's certificates are in {folder / 'ca.pem'}. Its logs are in {folder / 'logs'}."
    yield "Ctrl-C ends everything, and nothing of it stays."


def _quoted(value: str) -> str:
    """`$PATH` is for the shell; everything else is as it is."""
    return f'"{value}"' if "$" in value else shlex.quote(value)
