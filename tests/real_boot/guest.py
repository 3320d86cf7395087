"""What a test machine has in addition to Debian: what AWS's machine image has, and the addresses of the stand-ins.

The machine has no GPU. Two programs say otherwise: `nvidia-smi`, which the boot script asks, and the hook by which
docker knows that `--gpus` is possible. The hook does nothing, so a container gets no device.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

METADATA_ADDRESS = "169.254.169.254"
REGISTRY_ADDRESS = "10.99.0.1"
"""docker takes a registry on 127.0.0.0/8 for an insecure one, asks it twice, and reports the second error."""
ADDRESSES = (f"{METADATA_ADDRESS}/32", f"{REGISTRY_ADDRESS}/32")
"""What the loopback device of the machine's network namespace needs."""
REGISTRY = f"{REGISTRY_ADDRESS}:5000"
AWS_PORT = 4566
LOGS_PORT = 4567
"""CloudWatch Logs has a port of its own, so that it alone can stop answering."""
AWS_ENDPOINT = f"http://127.0.0.1:{AWS_PORT}"
LOGS_ENDPOINT = f"http://127.0.0.1:{LOGS_PORT}"


@dataclass(frozen=True)
class File:
    """A file of the machine."""

    text: str
    mode: int = 0o644


def files(*, gpus: int = 1) -> Mapping[str, File]:
    """Return the files that a machine has in addition to Debian's, by path."""
    endpoints = (
        f"[Service]\nEnvironment=AWS_ENDPOINT_URL={AWS_ENDPOINT} AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={LOGS_ENDPOINT}\n"
    )
    listed = "".join(f"GPU {index}: NVIDIA L4 (UUID: GPU-{index})\n" for index in range(gpus))
    measured = "87, 20123, 23034, 61, 71.52\n" * gpus
    asked = f"case $* in *--query-gpu=*) cat <<END\n{measured}END\n;; *) cat <<END\n{listed}END\n;; esac\n"
    return {
        "etc/hostname": File("replica\n"),
        "etc/hosts": File("127.0.0.1 localhost replica\n"),
        "etc/machine-id": File(""),  # a missing file makes systemd switch all services on, as at a first boot
        "etc/resolv.conf": File(""),
        "etc/cloud/cloud.cfg.d/99-test.cfg": File(_CLOUD_INIT),
        "etc/cloud/ds-identify.cfg": File("policy: enabled\n"),
        "etc/docker/daemon.json": File(_docker()),
        "etc/systemd/system/servestack.service.d/test.conf": File(endpoints),
        "usr/bin/nvidia-smi": File(f"#!/bin/sh\n{asked}", 0o755),
        "usr/bin/nvidia-container-runtime-hook": File("#!/bin/sh\nexec cat >/dev/null\n", 0o755),
    }


_CLOUD_INIT = f"""\
datasource_list: [Ec2]
datasource:
  Ec2:
    strict_id: false
    metadata_urls: ["http://{METADATA_ADDRESS}"]
network: {{config: disabled}}
cloud_init_modules: []
cloud_config_modules: []
cloud_final_modules: [scripts_user]
"""
"""cloud-init finds the metadata service as on EC2, and runs the script of the user data. The modules that would make
users, keys and host names are left out."""


def _docker() -> str:
    """Return the configuration of docker's daemon. Its default log driver is awslogs, because only the default driver's
    options reach every container. The group is never used: the boot script names one."""
    return json.dumps(
        {
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "insecure-registries": [REGISTRY],
            "log-driver": "awslogs",
            "log-opts": {"awslogs-endpoint": LOGS_ENDPOINT, "awslogs-region": "us-east-1", "awslogs-group": "unused"},
        }
    )
