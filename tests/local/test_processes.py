"""Starting and ending: everything comes up together, and nothing is left, however it ends."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.local_service import LLAMA_2, READY, LocalService, described, serving
from tests.support.processes import ROOT, python, running, runs, wait_until
from tests.support.recording_tgi import RecordingTgi, recording_tgi
from tests.support.requirements import require

pytestmark = pytest.mark.xdist_group("processes")


@pytest.fixture(scope="module")
def tgi() -> Iterator[RecordingTgi]:
    with recording_tgi() as tgi:
        yield tgi


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything_at_once_and_without_a_traceback(number: signal.Signals, tgi: RecordingTgi) -> None:
    with serving(LLAMA_2, "--upstream", tgi.url) as service:
        children = _children(service)
        service.process.signal(number)
        assert service.process.wait(within=60) == 0
        assert service.process.output.endswith("\nEnded.\n")
        assert "Traceback" not in service.process.output
        wait_until(lambda: not any(map(runs, children)), what="the end of every child")
        _free(service.port)


def test_a_request_that_never_ends_does_not_hold_up_the_end(tgi: RecordingTgi) -> None:
    with (
        serving(LLAMA_2, "--upstream", tgi.url) as service,
        socket.create_connection(("127.0.0.1", service.port)) as client,
    ):
        client.sendall(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 99\r\n\r\n{")
        service.process.signal(signal.SIGINT)
        assert service.process.wait(within=60) == 0


def test_children_end_with_a_launcher_that_is_killed(tgi: RecordingTgi, tmp_path: Path) -> None:
    require("linux")
    # It cannot remove its folder, which is not left where other tests look for what is served.
    with serving(LLAMA_2, "--upstream", tgi.url, env={"TMPDIR": str(tmp_path)}) as service:
        children = _children(service)
        assert len(children) == 1
        service.process.signal(signal.SIGKILL)
        service.process.wait()
        wait_until(lambda: not any(map(runs, children)), what="the end of the orphans")
        _free(service.port)


def test_a_child_that_dies_ends_everything_with_its_cause(tgi: RecordingTgi) -> None:
    require("linux")
    with serving(LLAMA_2, "--upstream", tgi.url) as service:
        (gateway,) = _children(service)
        os.kill(gateway, signal.SIGKILL)
        assert service.process.wait() == 1
        assert service.process.output.endswith("gateway was killed by SIGKILL, so everything ends.\n")
        assert "Traceback" not in service.process.output


def test_a_port_that_is_taken_is_an_error_that_names_the_remedy(tgi: RecordingTgi) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = python("-m", "local", LLAMA_2, "--port", str(port), "--upstream", tgi.url)
        with running(line) as process:
            assert process.wait() == 1
            assert process.output == (
                f"Reading {LLAMA_2} …\n"
                f"Port {port} of 127.0.0.1 is in use by another program. End it, or choose another port: "
                f"make local PORT={port + 1}\n"
            )


def test_two_at_once_do_not_meet(tgi: RecordingTgi) -> None:
    with serving(LLAMA_2, "--upstream", tgi.url) as one, serving(LLAMA_2, "--upstream", tgi.url) as other:
        assert one.port != other.port
        assert [httpx.get(f"{service.url}/v1/models").status_code for service in (one, other)] == [200, 200]


def test_it_runs_from_any_folder_and_another_gateways_settings_do_not_matter(tgi: RecordingTgi, tmp_path: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "GATEWAY_REGISTRY": "dynamodb:none", "GATEWAY_UPSTREAM": "x", "PORT": "1"}
    with serving(str(ROOT / LLAMA_2), "--upstream", tgi.url, env=env, cwd=tmp_path) as service:
        assert httpx.get(f"{service.url}/models").status_code == 200


def test_make_ends_it_as_a_terminal_does(tgi: RecordingTgi) -> None:
    """Ctrl-C reaches make and the launcher, both of the terminal's process group."""
    require("linux")
    line = ["make", "--no-print-directory", "local", f"CONFIG={LLAMA_2}", "PORT=0", f"ARGS=--upstream {tgi.url}"]
    with running(line) as process:
        service = described(process, process.wait_for(READY))
        os.killpg(process.pid, signal.SIGINT)
        process.wait(within=60)
        assert "Traceback" not in process.output
        _free(service.port)


def _children(service: LocalService) -> list[int]:
    require("linux")
    pids = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    return [int(pid) for pid in pids]


def _free(port: int) -> None:
    def is_free() -> bool:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return listener.connect_ex(("127.0.0.1", port)) != 0

    wait_until(is_free, what=f"port {port} to be free again")
