"""Keeps deployments away from AWS accounts: resources are made only in a control plane on this machine."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from commands.program_monitor import Refused

VARIABLE = "AWS_ENDPOINT_URL"
_PROFILES = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE")


def without_an_account(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without what would lead AWS's SDKs to an account: profiles, their files, and the variable
    that makes SDKs ignore the endpoint. If there are no credentials, it gets some without meaning."""
    kept = {name: value for name, value in environment.items() if name not in _PROFILES}
    nothing = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    local = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    always = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false"}
    return {**local, **kept, **nothing, **always}


def refuse_other_clouds(environment: Mapping[str, str]) -> None:
    """Refuse an environment in which AWS's SDKs would ask something other than a server on a loopback address."""
    others = sorted(name for name in environment if name.startswith(f"{VARIABLE}_"))
    for name in (VARIABLE, *others):
        if not _is_loopback(environment.get(name, "")):
            found = f"is {environment[name]}" if name in environment else "is not set"
            raise Refused(
                f"{name} {found}: this creates resources only in a cloud on this machine, never in an account of AWS. "
                f"Start one (make cloud), and set {name} to the address that it prints, such as http://127.0.0.1:4566"
            )


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
