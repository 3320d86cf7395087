"""What a user reads when the cloud has started: what is real and what is played, variables to export, and commands."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from cloud.addresses import Addresses
from cloud.deployment.found import found
from cloud.exports import exports
from cloud.machines.kinds import NSPAWN, PLAYED

PARTS = (
    ("real", "the Pulumi program, its plan and its resources"),
    ("real", "the boot script of each instance in bash, curl, and AWS's CLI"),
    ("real", "the function's own zip with its start script; the packages in it are those of this machine"),
    ("real", "the model that answers: SmolLM2 with 135 million parameters, in place of the one that you configure"),
    ("played", "AWS's API: moto, with what it lacks added"),
    ("played", "Auto Scaling, alarms, the load balancer, API Gateway and Lambda: programs that do what AWS's do"),
    ("not here", "IAM: everything is allowed. Prices, quotas and capacity are made up"),
)


INSTANCES = {
    PLAYED: (
        "played",
        "instances: processes with an address of their own; docker and systemd are ours, and GPUs are said to be there",
    ),
    NSPAWN: (
        "real",
        "instances: Debian in systemd-nspawn with its systemd, cloud-init and docker; GPUs are said to be there",
    ),
}
"""By the kind of machines."""
_DISKS = {PLAYED: "root/var/log", NSPAWN: "console and upper/var/log"}


def banner(
    addresses: Addresses, *, folder: Path, project: Path, domain: str, speed: float, machines: str = PLAYED
) -> str:
    """Return the text."""
    return "\n".join(_lines(addresses, folder, project, domain, speed, machines))


def _lines(
    addresses: Addresses, folder: Path, project: Path, domain: str, speed: float, machines: str
) -> Iterator[str]:
    way = found()
    first, *others = PARTS
    for kind, what in (first, ("real", f"the provider that creates them: {way.why}"), INSTANCES[machines], *others):
        yield f"{kind:9} {what}"
    if speed != 1:
        yield f"AWS's own waiting times run {speed:g} times faster than the clock."
    if way.way == "in process":
        yield "The PATH below has a pulumi command that comes with this cloud. It runs the same program, without"
        yield "Pulumi's engine and its preview."
    if way.way == "pulumi with our plugins":
        yield "pulumi warns that it takes two plugins from $PATH. They are those of this cloud, on the PATH below."
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
    yield f"The certificate of the cloud's own authority is {folder / 'ca.pem'}."
    yield logs(folder, machines)
    yield "Ctrl-C ends everything. Files stay in that folder until the next start."


def logs(folder: Path, machines: str = PLAYED) -> str:
    """Say where the parts of the cloud write what they do."""
    disks = _DISKS[machines]
    return f"The logs are control-plane/control_plane.log, api/api.log and machines/*/{disks} in {folder}."


def _quoted(value: str) -> str:
    """`$PATH` is for the shell; everything else is as it is."""
    return f'"{value}"' if "$" in value else shlex.quote(value)
