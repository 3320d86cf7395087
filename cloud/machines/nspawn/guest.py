"""What a machine has in addition to Debian: what AWS's machine image has, and the addresses of what is around it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

METADATA_ADDRESS = "169.254.169.254"
REGISTRY_ADDRESS = "10.99.0.1"
"""docker takes a registry on 127.0.0.0/8 for an insecure one, asks it twice, and reports the second error."""
ADDRESSES = (f"{METADATA_ADDRESS}/32", f"{REGISTRY_ADDRESS}/32")
"""What the loopback device of the machine's network namespace needs."""


@dataclass(frozen=True)
class File:
    """A file of the machine."""

    text: str
    mode: int = 0o644


def files(
    *,
    endpoint: str,
    region: str,
    logs_endpoint: str | None = None,
    nvidia_smi: str | None = None,
    insecure_registries: Sequence[str] = (),
    authority: str | None = None,
) -> Mapping[str, File]:
    """Return the files that a machine has in addition to those of Debian, by path.

    Args:
        endpoint: of AWS, inside the machine.
        region: of the log groups.
        logs_endpoint: of CloudWatch Logs alone.
        nvidia_smi: the program of that name; `None`: the machine has no GPU.
        insecure_registries: image registries without TLS.
        authority: the certificate that image registries are trusted by, which are at `REGISTRY_ADDRESS` then.
    """
    logs = logs_endpoint or endpoint
    variables = f"AWS_ENDPOINT_URL={endpoint} AWS_ENDPOINT_URL_CLOUDWATCH_LOGS={logs}"
    found = {
        "etc/hostname": File("replica\n"),
        "etc/hosts": File("127.0.0.1 localhost replica\n"),
        "etc/machine-id": File(""),  # a missing file makes systemd switch all services on, as at a first boot
        "etc/resolv.conf": File("" if authority is None else f"nameserver {REGISTRY_ADDRESS}\n"),
        "etc/cloud/cloud.cfg.d/99-servestack.cfg": File(_CLOUD_INIT),
        "etc/cloud/ds-identify.cfg": File("policy: enabled\n"),
        "etc/docker/daemon.json": File(_docker(logs, region, insecure_registries)),
        "etc/systemd/system.conf.d/aws.conf": File(f"[Manager]\nDefaultEnvironment={variables}\n"),
    }
    if authority is not None:
        found["etc/ssl/certs/ca-certificates.crt"] = File(authority)
    if nvidia_smi is not None:
        found["usr/bin/nvidia-smi"] = File(nvidia_smi, 0o755)
        found["usr/bin/nvidia-container-runtime-hook"] = File("#!/bin/sh\nexec cat >/dev/null\n", 0o755)
    return found


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


def _docker(logs: str, region: str, insecure_registries: Sequence[str]) -> str:
    """Return the configuration of docker's daemon. Its default log driver is awslogs, because only the default driver's
    options reach every container. The group is never used: the boot script names one.

    The hook by which docker knows that `--gpus` is possible does nothing, so a container gets no device.
    """
    return json.dumps(
        {
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "insecure-registries": list(insecure_registries),
            "log-driver": "awslogs",
            "log-opts": {"awslogs-endpoint": logs, "awslogs-region": region, "awslogs-group": "unused"},
        }
    )
