"""Starts that fail: what the machine reports, and whether it tries again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.real_boot.places import REGISTRY
from tests.real_boot.replica import Replica, State

pytestmark = [pytest.mark.boot, pytest.mark.timeout(900)]

Starts = Callable[..., Replica]

LOGIN = "registry_auth: {username: me, password: '${{ env.PASSWORD }}'}\nenv: [PASSWORD]\n"


def test_a_refused_login_ends_the_start_with_the_registrys_words(replica: Starts) -> None:
    boot = replica(LOGIN, registry_login="me:right", PASSWORD="wrong")
    boot.wait_for_unit("failed")
    assert boot.state() == State(
        "logging in to the image registry",
        f"the image registry {REGISTRY} refused the login of registry_auth: Error response from daemon: login attempt "
        f"to http://{REGISTRY}/v2/ failed with status: 401 Unauthorized",
        True,
    )
    assert "wrong" not in boot.machine.run("journalctl", "--no-pager")


def test_an_image_behind_a_login_is_pulled_and_the_password_is_not_kept(replica: Starts) -> None:
    password = "p'\"$(id) \\ ü"
    boot = replica(LOGIN, registry_login=f"me:{password}", PASSWORD=password)
    boot.wait_for_step("serving")
    assert boot.machine.run("find", "/root", "/run/servestack", "-name", "config.json") == ""


def test_an_image_larger_than_the_disk_ends_the_start(replica: Starts) -> None:
    boot = replica(docker_disk_mb=20)
    boot.wait_for_unit("failed")
    cause = f"the disk is too small for the image {REGISTRY}/server:1: request more under resources.disk"
    assert boot.state() == State("pulling image", cause, True)


def test_a_container_that_ends_at_once_is_started_again_after_longer_and_longer_pauses(replica: Starts) -> None:
    boot = replica("entrypoint: [serve, --exit, '3', --says, 'it broke']\n")
    boot.wait_for_log("failed, trying again in 20 s: ")
    cause = (
        "the container ended with status 3 before it served; the container's output is in the log stream "
        f"{boot.instance}/container"
    )
    assert [line for line in boot.boot_log() if line.startswith("failed")] == [
        f"failed, trying again in {pause} s: {cause}" for pause in (10, 20)
    ]
    assert boot.container_log() == ["it broke", "it broke"]
    assert boot.state() == State("container ended", cause, False, "it broke")
