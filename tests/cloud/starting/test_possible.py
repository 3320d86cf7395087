"""What keeps a cloud from running here is said before anything is downloaded or started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.addresses import HOST, free_addresses
from cloud.machines.calls import BASE_PYTHON
from cloud.possible import LONGEST_FOLDER, main
from cloud.project import ROOT
from tests.support.requirements import require

ANOTHER = 'Choose another folder: make cloud ARGS="--folder /tmp/cloud"\n'


@pytest.fixture(autouse=True)
def _possible_otherwise() -> None:
    for name in ("linux", "machines", "provider-aws"):
        require(name)


def line(folder: Path) -> list[str]:
    """The arguments of a cloud with ports that are free."""
    free = free_addresses()
    return ["--port", str(free.control_plane), "--https-port", str(free.https), "--folder", str(folder)]


def test_it_is_asked_by_a_python_without_packages(tmp_path: Path) -> None:
    asked = [BASE_PYTHON, "-S", "-m", "cloud.possible", *line(tmp_path / "new" / "cloud")]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (tmp_path / "new").exists()


def test_a_port_that_is_taken_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = line(tmp_path)
    with socket.create_server((HOST, int(arguments[1]))):
        assert main(arguments) == 1
    assert capsys.readouterr().err == (
        f"port {arguments[1]} of 127.0.0.1 is in use. End the program that uses it, or choose another port: make cloud "
        'ARGS="--port 5566"\n'
    )


def test_a_folder_whose_sockets_would_have_too_long_paths_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path("/tmp") / ("x" * LONGEST_FOLDER)
    assert main(line(folder)) == 1
    rule = "the path is longer than 72 bytes, and the sockets of machines do not fit into it"
    assert capsys.readouterr().err == f"{folder}: {rule}. {ANOTHER}"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    above = tmp_path / "file"
    above.touch()
    assert main(line(above / "cloud")) == 1
    assert capsys.readouterr().err == f"{above}/cloud: this user cannot write to {above}. {ANOTHER}"


def test_without_a_provider_and_without_pulumi_nothing_can_be_created(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVESTACK_PROVIDER_AWS", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(line(tmp_path)) == 1
    assert capsys.readouterr().err == (
        f"the pulumi command is not on PATH, and SERVESTACK_PROVIDER_AWS is {tmp_path}, and version 5.100.0 of the "
        "provider is not there. Or install Pulumi: curl -fsSL https://get.pulumi.com | sh\n"
    )


def test_a_kernel_that_forbids_namespaces_is_named_with_the_remedy(tmp_path: Path) -> None:
    """In a user namespace of this test's own, which allows none inside of it."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --inh-caps=-all --ambient-caps=-all -- "$@"'
    inside = ["unshare", "--user", "--map-user=1234", "--map-group=1234", "--keep-caps", "sh", "-c", forbid, "sh"]
    asked = [sys.executable, "-m", "cloud.possible", *line(tmp_path)]
    done = subprocess.run([*inside, *asked], cwd=ROOT, capture_output=True, text=True, env={**os.environ})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "make cloud runs containers, which need namespaces of the kernel, and this user cannot make them (unshare: "
        "unshare failed: No space left on device): run it as root, or allow user namespaces (sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu, sysctl user.max_user_namespaces=10000 where it is "
        "0, --privileged in a container of docker)\n"
    )
