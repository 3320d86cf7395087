"""A command ends with its cloud."""

from __future__ import annotations

import queue
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cloud.deployment.ending import CloudEnded, end_with_the_cloud
from commands.program_monitor import Refused
from tests.cloud.control_plane.conftest import end, start
from tests.support.http_server import serving

FAR_TOO_LONG = 300


def test_the_end_of_the_cloud_is_told_once_it_is_killed(tmp_path: Path) -> None:
    plane = start(tmp_path)
    told: queue.Queue[CloudEnded] = queue.Queue()
    try:
        end_with_the_cloud(plane.environment, told.put)
        plane.client("sns").create_topic(Name="lives")
        assert told.empty()
        plane.process.kill()
        assert str(told.get(timeout=FAR_TOO_LONG)) == (
            f"the cloud at {plane.url} has ended, and everything that was in it, so this command ends too. Start a "
            "cloud with make cloud, and begin again with `pulumi stack init`"
        )
    finally:
        end(plane)
    with pytest.raises(CloudEnded) as none:
        end_with_the_cloud(plane.environment, told.put)
    assert str(none.value) == (
        f"no cloud answers at AWS_ENDPOINT_URL, {plane.url} ([Errno 111] Connection refused). Start one with make "
        "cloud, and paste the lines that it prints into this terminal"
    )


def test_another_cloud_at_the_same_address_is_not_this_one() -> None:
    """Versions of a cloud only grow."""
    versions = iter((5, 6, 6, *[2] * 1000))

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"version": %d}' % next(versions)
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    told: queue.Queue[CloudEnded] = queue.Queue()
    with serving(Answers) as port:
        end_with_the_cloud({"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}, told.put)
        assert str(told.get(timeout=FAR_TOO_LONG)).startswith(f"the cloud at http://127.0.0.1:{port} has ended")


def test_only_a_cloud_on_this_machine_is_asked() -> None:
    with pytest.raises(Refused, match=r"AWS_ENDPOINT_URL is https://ec2\.amazonaws\.com"):
        end_with_the_cloud({"AWS_ENDPOINT_URL": "https://ec2.amazonaws.com"}, print)
