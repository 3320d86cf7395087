"""The images of machines: their names, who may pull them, and that the stand-ins find what they import."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import io
import json
import socket
import ssl
import subprocess
import sys
import tarfile
from base64 import b64encode
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cloud.certificates import Authority
from cloud.machines.__main__ import TABLES
from cloud.machines.nspawn.every_registry import Contents, EveryRegistry, image_name, password_of
from cloud.machines.nspawn.instance import published_port
from cloud.machines.nspawn.layers import blob
from cloud.machines.nspawn.packages import NEEDED
from cloud.project import ROOT
from infra.planning.boot import script
from tests.boot.planned import planned
from tests.structure.requirements_files import normal

ARM = "application/vnd.docker.distribution.manifest.list.v2+json"
IMPORTS = """
import json, sys
import cloud.machines.stand_ins.model_server, cloud.machines.stand_ins.ollama, cloud.machines.stand_ins.page
import uvicorn.loops.auto, uvicorn.protocols.http.auto
files = {name.partition(".")[0]: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(json.dumps(sorted(name for name, file in files.items() if "site-packages" in file)))
"""
"""Prints the packages that stand-ins import."""


@pytest.mark.parametrize(
    ("host", "repository", "name"),
    [
        ("registry-1.docker.io", "library/nginx", "nginx:1"),
        ("registry-1.docker.io", "vllm/vllm-openai", "vllm/vllm-openai:1"),
        ("ghcr.io", "huggingface/text-generation-inference", "ghcr.io/huggingface/text-generation-inference:1"),
    ],
)
def test_an_image_has_the_name_that_a_configuration_gives_it(host: str, repository: str, name: str) -> None:
    assert image_name(host, repository, "1") == name


def test_a_password_is_read_from_its_header() -> None:
    header = f"Basic {b64encode(b'me:p:w').decode()}"
    assert [password_of(login) for login in (header, "Basic ?", "")] == ["p:w", "", None]


def test_the_published_port_is_that_of_the_boot_script() -> None:
    service = "type: service\nimage: nginx\nport: 8123\nresources: {gpu: 24GB}\n"
    place = {"region": "us-east-1", "table": "registry", "log_group": "/servestack/run"}
    text = script(planned(service=service), **place, parameter_versions={}).encode()
    assert (published_port(text), published_port(gzip.compress(text)), published_port(b"#!/bin/sh\n")) == (
        8123,
        8123,
        0,
    )


def test_the_images_have_every_package_that_the_stand_ins_import() -> None:
    printed = subprocess.run([sys.executable, "-c", IMPORTS], cwd=ROOT, capture_output=True, text=True, check=True)
    known = packages_distributions()
    imported = {normal(name) for top in json.loads(printed.stdout) for name in known.get(top, [])}
    pinned = {
        line.partition("==")[0].strip() for line in (ROOT / "requirements-local.txt").read_text().splitlines() if line
    }
    assert sorted((imported & pinned) - {*NEEDED}) == []
    assert sorted({*NEEDED} - pinned) == []


class Asked:
    """A registry of a machine, asked under any name."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder)
        contents = Contents(
            layers=[blob(b"lowest")], tables=TABLES, port=8000, models={"key": "k", "chat": "http://c"}, nvidia_smi=None
        )
        self._registry = EveryRegistry("127.0.0.1", folder, authority.context(lambda host: host), contents, port=0)
        self._trusted = ssl.create_default_context(cafile=str(authority.file))

    def close(self) -> None:
        self._registry.close()

    def __call__(
        self, host: str, path: str, token: str = "anybody", login: str = ""
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Return the status, the headers and the body. `login`: `user:password`, in place of a token."""
        connection = http.client.HTTPConnection(host)
        plain = socket.create_connection(("127.0.0.1", self._registry.port), timeout=60)
        connection.sock = self._trusted.wrap_socket(plain, server_hostname=host)
        shown = f"Basic {b64encode(login.encode()).decode()}" if login else f"Bearer {token}"
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": shown} if token or login else {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()

    def code(self, host: str, path: str, **asked: str) -> tuple[int, str]:
        """Return the status and the code of an error."""
        status, _, body = self(host, path, **asked)
        return status, json.loads(body)["errors"][0]["code"]


@pytest.fixture(name="ask", scope="module")
def _ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    made = Asked(tmp_path_factory.mktemp("registry"))
    yield made
    made.close()


def test_an_image_has_the_stand_ins_of_its_programs_and_the_way_to_the_model(ask: Asked) -> None:
    status, headers, body = ask("registry-1.docker.io", "/v2/vllm/vllm-openai/manifests/v1")
    manifest = json.loads(body)
    again = ask("registry-1.docker.io", f"/v2/vllm/vllm-openai/manifests/{headers['Docker-Content-Digest']}")
    assert (status, again[0], again[2]) == (200, 200, body)
    parts = [manifest["config"], *manifest["layers"]]
    config, lowest, programs = (
        ask("registry-1.docker.io", f"/v2/vllm/vllm-openai/blobs/{part['digest']}")[2] for part in parts
    )
    assert lowest == b"lowest"
    settings = json.loads(config)["config"]
    assert (settings["Entrypoint"], settings["Cmd"]) == (["python3", "-m", "vllm.entrypoints.openai.api_server"], [])
    with tarfile.open(fileobj=io.BytesIO(programs)) as tar:
        texts = {name: tar.extractfile(name) for name in ("run/stand-in/port", "run/stand-in-model/chat")}
        assert {name: file and file.read() for name, file in texts.items()} == {
            "run/stand-in/port": b"8000", "run/stand-in-model/chat": b"http://c",
        }  # fmt: skip
        programs_of = [tar.extractfile(f"opt/stand-ins/bin/{name}") for name in ("vllm", "python", "python3")]
        started = {file.readline() for file in programs_of if file}
    assert started == {b'#!/usr/bin/env -S "/usr/bin/python3" -I\n'}, "the machine's own Python"


def test_a_registry_refuses_as_the_real_ones_do(ask: Asked) -> None:
    assert ask("registry-1.docker.io", "/v2/", token="")[1]["WWW-Authenticate"] == (
        'Bearer realm="https://registry-1.docker.io/token",service="registry-1.docker.io"'
    )
    assert ask.code("ghcr.io", "/v2/example/not-found/manifests/1") == (404, "MANIFEST_UNKNOWN")
    assert ask.code("ghcr.io", "/v2/example/denied/manifests/1") == (403, "DENIED")
    assert ask.code("ghcr.io", "/v2/example/rate-limited/manifests/1") == (429, "TOOMANYREQUESTS")
    assert ask.code("ghcr.io", "/v2/example/private/manifests/1") == (403, "DENIED")
    assert ask("ghcr.io", "/v2/example/private/manifests/1", token="user")[0] == 200
    _, headers, body = ask("ghcr.io", "/v2/example/arm-only/manifests/1")
    assert headers["Content-Type"] == ARM
    assert [one["platform"]["architecture"] for one in json.loads(body)["manifests"]] == ["arm64"]


def test_a_login_gets_a_token_unless_its_password_is_wrong(ask: Asked) -> None:
    assert ask.code("nvcr.io", "/token", login="me:wrong") == (401, "UNAUTHORIZED")
    tokens = [ask("nvcr.io", "/token", login=login, token="")[2] for login in ("me:right", "")]
    assert [json.loads(token) for token in tokens] == [{"token": "user"}, {"token": "anybody"}]
