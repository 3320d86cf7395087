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

from cloud.addresses import HOST, HTTPS_PORTS, REGION, Addresses
from cloud.deployment.found import Way, found, write_plugins
from cloud.project import ROOT

_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIACLOUD", "AWS_SECRET_ACCESS_KEY": "nothing-is-secret-here"}
CERTIFICATES = "certificates.pem"
"""In the cloud's folder: who is trusted, the cloud's own authority among them."""
_TRUST = ("SSL_CERT_FILE", "CURL_CA_BUNDLE")
"""The variable of OpenSSL, and that of curl, which has precedence for curl."""
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_PASSPHRASE = "cloud"  # noqa: S105 - the state that it encrypts ends with the cloud

_PULUMI = """\
#!/bin/sh
# It comes with make cloud, for machines that have no pulumi.
PYTHONPATH={root} exec {python} -m cloud.pulumi_command "$@"
"""


def exports(addresses: Addresses, folder: Path, domain: str) -> Mapping[str, str]:
    """Return the variables. PATH has `$PATH` in it, for a shell."""
    own = {} if found().way == "pulumi" else {"PATH": f"{folder / 'bin'}{os.pathsep}$PATH"}
    trusted = dict.fromkeys(_TRUST, str((folder / CERTIFICATES).absolute()))
    return {**environment(addresses, folder), **trusted, **_proxies(addresses, domain), **own}


def write_certificates(folder: Path, own: str) -> None:
    """Write the authorities that programs trust here, in PEM: those that they trust already, and the cloud's own."""
    ours = folder / CERTIFICATES
    files = [Path(os.environ[name]) for name in _TRUST if os.environ.get(name)]
    already = [file for file in files if file.is_file() and file.absolute() != ours.absolute()]
    ours.write_text((already or [Path(certifi.where())])[0].read_text() + own)


def write_programs(folder: Path, way: Way) -> None:
    """Write into `bin` of the folder what this machine lacks: the command that stands in for pulumi, or pulumi's
    plugins."""
    programs = folder / "bin"
    shutil.rmtree(programs, ignore_errors=True)
    if way == "pulumi with our plugins":
        write_plugins(programs)
    elif way == "in process":
        programs.mkdir()
        command = programs / "pulumi"
        command.write_text(_PULUMI.format(root=shlex.quote(str(ROOT)), python=shlex.quote(sys.executable)))
        command.chmod(command.stat().st_mode | stat.S_IXUSR)


def environment(addresses: Addresses, folder: Path) -> Mapping[str, str]:
    """Return the variables by which pulumi, its providers and boto3 use this cloud."""
    return {
        "AWS_ENDPOINT_URL": addresses.endpoint,
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), REGION),  # boto3 reads the second one
        **_CREDENTIALS,
        "PULUMI_BACKEND_URL": (folder / "pulumi").absolute().as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": _PASSPHRASE,
    }


def _proxies(addresses: Addresses, domain: str) -> Mapping[str, str]:
    """Return the variables by which SDKs reach the names of a domain, also where this user has a proxy already; none
    if they do without. Most programs read the names in lower case first."""
    if addresses.https == HTTPS_PORTS[0] and _resolves(f"gateway.{domain}"):
        mine = any(os.environ.get(name) for name in (*_PROXIES, *map(str.lower, _PROXIES)))
        there = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        wanted = {"NO_PROXY": ",".join(filter(None, (there, HOST, domain)))} if mine else {}
    else:
        wanted = {"HTTPS_PROXY": addresses.proxy_url, "NO_PROXY": HOST}
    lower = {name.lower(): value for name, value in wanted.items() if name.lower() in os.environ}
    return {**wanted, **lower}


def _resolves(name: str) -> bool:
    """Whether this machine finds the address of a name."""
    try:
        found = socket.getaddrinfo(name, None, family=socket.AF_INET)
    except OSError:
        return False
    return all(str(address[4][0]).startswith("127.") for address in found)
