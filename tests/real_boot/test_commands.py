"""What dstack promises to a container: a terminal, a local port, the image's own files."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloud.machines.nspawn.layers import Blob
from tests.real_boot.replica import Replica
from tests.real_boot.serving_image import serving_image

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

Starts = Callable[..., Replica]


def test_a_server_in_the_background_comes_to_the_foreground(replica: Starts) -> None:
    """dstack's example for Ollama has these commands."""
    boot = replica("commands: [serve --says ollama &, sleep 1, touch /tmp/pulled, fg]\n")
    boot.wait_for_step("serving")
    assert boot.get("/file?path=/tmp/pulled") == b""
    boot.machine.shut_down()
    boot.machine.wait()
    assert [line.strip() for line in boot.container_log()][-1] == "ended"


def test_a_server_on_the_containers_own_address_is_reached(replica: Starts) -> None:
    boot = replica("entrypoint: [serve, --host, 127.0.0.1]\n")
    boot.wait_for_step("serving")
    assert boot.get("/health") == b"ok"


def test_weights_in_the_image_stay_visible_where_the_cache_is(replica: Starts, base: Blob) -> None:
    files = dict.fromkeys(("/data/my-model/weights", "/root/.cache/huggingface/hub/weights"), "baked")
    boot = replica(images={"server:1": serving_image(base, files=files)})
    boot.wait_for_step("serving")
    assert {path: boot.get(f"/file?path={path}") for path in files} == dict.fromkeys(files, b"baked")
