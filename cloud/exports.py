"""What a user exports, so that pulumi, its providers, boto3, curl and the SDKs of models use the cloud."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

import certifi

from cloud.addresses import HTTPS_PORTS, REGION, Addresses
from cloud.project import ROOT

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIACLOUD", "AWS_SECRET_ACCESS_KEY": "nothing-is-secret-here"}
CERTIFICATES = "certificates.pem"
"""In the cloud's folder: who is trusted, the cloud's own authority among them."""
_TRUST = ("SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""The variable of OpenSSL, and that of curl, which has precedence for curl."""
_PASSPHRASE = "cloud"  # noqa: S105 - the state that it encrypts ends with the cloud

_PULUMI = """\
#!/bin/sh
# It comes with make cloud, for machines that have no pulumi.
PYTHONPATH={root} exec {python} -m cloud.pulumi_command "$@"
"""


def exports(addresses: Addresses, folder: Path, domain: str) -> Mapping[str, str]:
    """Return the variables. PATH has `$PATH` in it, for a shell."""
    own = {} if has_pulumi() else {"PATH": f"{folder / 'bin'}{os.pathsep}$PATH"}
    trusted = dict.fromkeys(_TRUST, str((folder / CERTIFICATES).absolute()))
    return {**environment(addresses, folder), **trusted, **_proxy(addresses, domain), **own}


def write_certificates(folder: Path, own: str) -> None:
    """Write whom programs trust here: the authorities that they trust already, and the cloud's own, in PEM."""
    files = [os.environ[name] for name in _TRUST if os.environ.get(name)]
    already = [Path(file) for file in files if Path(file).is_file()] or [Path(certifi.where())]
    (folder / CERTIFICATES).write_text(already[0].read_text() + own)


def has_pulumi() -> bool:
    return shutil.which("pulumi") is not None


def write_pulumi(folder: Path) -> None:
    """Write the command that stands in for pulumi."""
    (folder / "bin").mkdir(exist_ok=True)
    command = folder / "bin" / "pulumi"
    command.write_text(_PULUMI.format(root=shlex.quote(str(ROOT)), python=shlex.quote(sys.executable)))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)


def environment(addresses: Addresses, folder: Path) -> Mapping[str, str]:
    """Return the variables by which pulumi, its providers and boto3 use this cloud."""
    return {
        "AWS_ENDPOINT_URL": addresses.endpoint,
        "AWS_REGION": REGION,
        **_CREDENTIALS,
        "PULUMI_BACKEND_URL": (folder / "pulumi").absolute().as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
    }


def _proxy(addresses: Addresses, domain: str) -> Mapping[str, str]:
    """Return the variable by which SDKs reach the names of a domain; none if they do without a proxy."""
    direct = addresses.https == HTTPS_PORTS[0] and _resolves(f"gateway.{domain}")
    return {} if direct else {"HTTPS_PROXY": addresses.proxy_url}


def _resolves(name: str) -> bool:
    """Whether this machine finds the address of a name."""
    try:
        found = socket.getaddrinfo(name, None, family=socket.AF_INET)
    except OSError:
        return False
    return all(str(address[4][0]).startswith("127.") for address in found)
