"""`--docker` from end to end: with an engine where there is one, and with a docker command of the tests' own."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.local_service import LLAMA_2, MISTRAL, serving
from tests.support.processes import ROOT, python, running
from tests.support.requirements import require

pytestmark = pytest.mark.xdist_group("docker")

FAKE_DOCKER = """#!{python}
import http.server, json, os, sys
log = {log!r}
with open(log, "a") as file:
    file.write(json.dumps([sys.argv[1:], {{"SECRET": os.environ.get("SECRET")}}]) + "\\n")
if sys.argv[1] != "run":
    print("28.2.2")
    sys.exit()
if os.environ.get("FAIL"):
    print("docker: Error response from daemon: pull access denied for private/image.", file=sys.stderr)
    sys.exit(125)

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("content-length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *args):
        pass

port = sys.argv[sys.argv.index("--publish") + 1].split(":")[1]
http.server.HTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()
"""
WEB = "type: service\nimage: nginx\nport: 80\nname: web-1\nenv:\n  - SECRET\n"


@pytest.fixture
def docker_log(tmp_path: Path) -> Path:
    """A docker command first on the path, of a machine without GPUs, and the file that says how it was called."""
    log = tmp_path / "docker.log"
    command = tmp_path / "bin" / "docker"
    command.parent.mkdir()
    command.write_text(FAKE_DOCKER.format(python=sys.executable, log=str(log)))
    command.chmod(0o755)
    (tmp_path / "bin" / "nvidia-smi").write_text("#!/bin/sh\necho No devices were found\n")
    (tmp_path / "bin" / "nvidia-smi").chmod(0o755)
    (tmp_path / "web.dstack.yml").write_text(WEB)
    return log


def test_the_image_runs_answers_and_is_removed(docker_log: Path, tmp_path: Path) -> None:
    env = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin", "SECRET": "hidden-value"}
    with serving(str(tmp_path / "web.dstack.yml"), "--docker", env=env) as service:
        assert httpx.get(f"{service.url}/services/web-1/").text == "hello"
        assert "here     nginx in docker, without a GPU, because this machine has none" in service.banner
        assert "hidden-value" not in service.process.output
    calls = [json.loads(line) for line in docker_log.read_text().splitlines()]
    assert [line[0] for line, _ in calls] == ["version", "run", "rm"]
    run, environment = calls[1]
    assert environment == {"SECRET": "hidden-value"}
    assert "hidden-value" not in str(run)
    assert calls[2][0] == ["rm", "--force", run[run.index("--name") + 1]]


def test_an_image_that_cannot_be_run_ends_everything_with_dockers_own_words(docker_log: Path, tmp_path: Path) -> None:
    env = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin", "SECRET": "s", "FAIL": "1"}
    line = python("-m", "local", str(tmp_path / "web.dstack.yml"), "--docker", "--port", "0")
    with running(line, env=env) as process:
        assert process.wait() == 1
        said = [line for line in process.output.splitlines() if "not serving yet" not in line]
        assert said == [
            f"Reading {tmp_path}/web.dstack.yml …",
            "Starting web-1 …",
            "[web-1] docker: Error response from daemon: pull access denied for private/image.",
            "web-1 ended with 125, so everything ends.",
        ]


def test_without_an_engine_the_launcher_says_so_before_it_asks_anybody_anything(tmp_path: Path) -> None:
    """`examples/mistral` would need a template from the Hub; that there is no docker is said first."""
    with running(
        python("-m", "local", MISTRAL, "--docker", "--port", "0"),
        env={"PATH": str(tmp_path)},
    ) as process:
        assert process.wait() == 1
        assert process.output.startswith(f"Reading {MISTRAL} …\n--docker runs the configured image with docker")


def test_a_real_engine_serves_a_real_image(tmp_path: Path) -> None:
    require("docker")
    configuration = tmp_path / "web.dstack.yml"
    configuration.write_text("type: service\nimage: nginx:alpine\nport: 80\nname: web-1\n")
    with serving(str(configuration), "--docker", within=100) as service:
        assert "nginx" in httpx.get(f"{service.url}/services/web-1/").text


def test_the_documents_configuration_is_what_docker_would_run(tmp_path: Path, docker_log: Path) -> None:
    env = {"PATH": f"{tmp_path}/bin:/bin:/usr/bin"}
    with serving(str(ROOT / LLAMA_2), "--docker", "--name", "llama-1", env=env):
        pass
    run = [json.loads(line)[0] for line in docker_log.read_text().splitlines()][1]
    image = run.index("ghcr.io/huggingface/text-generation-inference:latest")
    assert run[image - 2 :] == [
        *("--entrypoint", "/bin/sh", "ghcr.io/huggingface/text-generation-inference:latest", "-i", "-c"),
        "text-generation-launcher --port 80 --trust-remote-code --quantize gptq",
    ]
