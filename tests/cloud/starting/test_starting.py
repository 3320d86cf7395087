"""What `make cloud` does before and after its parts run: the command line, ports, the project's folder, leftovers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cloud.addresses import HOST, Addresses, PortTaken, chosen_addresses, free_addresses
from cloud.arguments import read_arguments
from cloud.banner import banner
from cloud.deployment.found import Way
from cloud.exports import CERTIFICATES, exports, write_certificates, write_programs
from cloud.leftovers import MARK, end_marked
from cloud.lock import held
from cloud.project import ROOT, make_project
from tests.support.requirements import require


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["--domain", "Models.localhost"], "'Models.localhost' is not a domain: write one in lower case"),
        (["--speed", "0"], "'0' is not a speed: write a number from 1 to 600"),
        (["--machines", "docker"], "argument --machines: invalid choice: 'docker'"),
        (["--port", "70000"], "'70000' is not a port: write a number from 1 to 65000"),
        (
            ["--folder", "/tmp/my cloud"],
            "'/tmp/my cloud': machines boot only in a path of letters, digits and any of _ -",
        ),
    ],
)
def test_a_wrong_command_line_names_the_rule(line: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_arguments(line)
    assert ended.value.code == 2
    assert says in capsys.readouterr().err


def test_a_port_that_is_taken_is_named_with_the_remedy() -> None:
    free = free_addresses()
    first, https = free.control_plane, free.https
    with socket.create_server((HOST, first)), socket.create_server((HOST, https)):
        with pytest.raises(PortTaken) as refused:
            chosen_addresses(first, https)
        with pytest.raises(PortTaken) as own:
            chosen_addresses(first, first + 1)
    assert str(refused.value) == (
        f"port {first} of 127.0.0.1 is in use; port {https} of 127.0.0.1 is in use. End the program that uses it, or "
        'choose another port: make cloud ARGS="--port 5566 --https-port 9443"'
    )
    assert str(own.value) == f"--https-port {first + 1}: --port {first} needs this port itself. Choose another one"


def test_the_project_is_this_one_without_stack_config_and_state(tmp_path: Path) -> None:
    (tmp_path / "pulumi").mkdir()
    (tmp_path / "pulumi" / "old").write_text("state of an earlier cloud")
    project = make_project(tmp_path)
    names = {entry.name for entry in project.iterdir()}
    assert {"Pulumi.yaml", "infra", "examples", "Makefile", "requirements.txt"} <= names
    assert {name for name in names if name.startswith(".")} <= {".venv", ".cache"}
    assert (project / "infra").resolve() == ROOT / "infra"
    packages = project / ".cache" / "function"
    assert packages.resolve() == ROOT / ".cache" / "function", "each cloud would download the function's packages again"
    assert list((tmp_path / "pulumi").iterdir()) == []


def test_the_banner_has_the_lines_to_paste(tmp_path: Path) -> None:
    addresses = Addresses(control_plane=4999, https=8443, proxy=5000)
    text = banner(addresses, folder=tmp_path, project=tmp_path / "project", domain="models.localhost", speed=10)
    exported = [line for line in text.splitlines() if line.startswith("export ")]
    assert exported[0] == "export AWS_ENDPOINT_URL=http://127.0.0.1:4999"
    assert "export HTTPS_PROXY=http://127.0.0.1:5000" in exported
    assert "AWS's own waiting times run 10 times faster than the clock." in text
    assert text.endswith("Ctrl-C ends everything. Files stay in that folder until the next start.")


def test_certificates_are_those_that_are_trusted_already_and_the_cloud_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_text("of my company\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(mine))
    write_certificates(tmp_path, "of the cloud\n")
    file = exports(free_addresses(), tmp_path, "models.localhost")["SSL_CERT_FILE"]
    assert Path(file).read_text() == "of my company\nof the cloud\n"


def test_a_terminal_of_an_earlier_cloud_does_not_make_the_certificates_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_certificates(tmp_path, "of the cloud\n")
    first = (tmp_path / CERTIFICATES).read_text()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / CERTIFICATES))
    write_certificates(tmp_path, "of the cloud\n")
    assert (tmp_path / CERTIFICATES).read_text() == first


@pytest.mark.parametrize(
    ("https", "there", "exported"),
    [
        (443, {}, {}),
        (443, {"https_proxy": "http://10.0.0.1:1"}, {"NO_PROXY": "127.0.0.1,localhost"}),
        (
            443,
            {"HTTP_PROXY": "http://10.0.0.1:1", "no_proxy": ".corp"},
            {"NO_PROXY": ".corp,127.0.0.1,localhost", "no_proxy": ".corp,127.0.0.1,localhost"},
        ),
        (8443, {}, {"HTTPS_PROXY": "http://127.0.0.1:5000", "NO_PROXY": "127.0.0.1"}),
        (
            8443,
            {"https_proxy": "http://10.0.0.1:1"},
            {"HTTPS_PROXY": "http://127.0.0.1:5000", "https_proxy": "http://127.0.0.1:5000", "NO_PROXY": "127.0.0.1"},
        ),
    ],
)
def test_a_proxy_of_this_user_does_not_get_what_is_for_the_cloud(
    https: int,
    there: dict[str, str],
    exported: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in os.environ:
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name, value in there.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", 0))])
    addresses = Addresses(control_plane=4999, https=https, proxy=5000)
    found = exports(addresses, tmp_path, "localhost")
    assert {name: value for name, value in found.items() if name.lower().endswith("_proxy")} == exported


def _cloud(folder: Path, path: str, provider: Path, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": path, "SERVESTACK_PROVIDER_AWS": str(provider)}
    command = [sys.executable, "-m", "cloud", "--folder", str(folder), *more]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)


def test_a_second_cloud_in_a_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    require("machines")
    provider = tmp_path / "provider"
    provider.touch(mode=0o700)
    waits = [sys.executable, "-c", "input()"]
    part = subprocess.Popen(waits, stdin=subprocess.PIPE, env={**os.environ, MARK: str(tmp_path / "cloud")})
    try:
        with held(tmp_path / "cloud"):
            refused = _cloud(tmp_path / "cloud", os.environ["PATH"], provider)
        assert (refused.returncode, part.poll()) == (1, None)
        assert refused.stderr == (
            f"another make cloud runs in {tmp_path}/cloud. End it with Ctrl-C in its terminal, or start one beside it "
            f'with another folder and other ports: make cloud ARGS="--folder {tmp_path}/cloud-2 --port 5566"\n'
        )
    finally:
        part.kill()
        part.communicate()


def test_machines_that_cannot_boot_here_are_refused_before_anything_starts(tmp_path: Path) -> None:
    require("machines")
    provider = tmp_path / "provider"
    provider.touch(mode=0o700)
    refused = _cloud(tmp_path / "cloud", str(tmp_path), provider, "--machines", "nspawn")
    missing = "apt-get, chroot, debootstrap, systemd-nspawn, setpriv, nsenter, unshare, ip"
    why = (
        f"there is no command {missing}: apt install debootstrap systemd-container util-linux iproute2 (on Debian and "
        "Ubuntu)"
        if os.geteuid() == 0
        else "machines of systemd-nspawn need root: run it as root"
    )
    assert (refused.returncode, refused.stderr) == (
        1,
        f'{why}. Or have machines that need none of it: make cloud ARGS="--machines played"\n',
    )
    assert not (tmp_path / "cloud").exists()


def test_without_pulumi_and_without_a_provider_it_says_what_to_install(tmp_path: Path) -> None:
    require("machines")
    refused = _cloud(tmp_path / "cloud", str(tmp_path), tmp_path / "nothing")
    assert (refused.returncode, refused.stderr) == (
        1,
        f"the pulumi command is not on PATH, and SERVESTACK_PROVIDER_AWS is {tmp_path}/nothing, and version 5.100.0 of "
        "the provider is not there. Or install Pulumi: curl -fsSL https://get.pulumi.com | sh\n",
    )
    assert not (tmp_path / "cloud").exists()


@pytest.mark.parametrize(
    ("way", "programs"),
    [
        ("pulumi", []),
        ("in process", ["pulumi"]),
        ("pulumi with our plugins", ["pulumi-resource-aws", "pulumi-resource-random"]),
    ],
)
def test_the_folder_of_programs_has_only_what_this_machine_lacks(way: Way, programs: list[str], tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi").write_text("of an earlier cloud")
    write_programs(tmp_path, way)
    found = sorted((tmp_path / "bin").iterdir()) if programs else []
    assert [file.name for file in found] == programs
    assert all(os.access(file, os.X_OK) for file in found)
    assert (tmp_path / "bin" / "pulumi").exists() == ("pulumi" in programs)


def test_processes_of_an_earlier_cloud_are_ended_and_no_others(tmp_path: Path) -> None:
    require("linux")
    waits = [sys.executable, "-c", "print(flush=True); input()"]
    of_cloud, other = (
        subprocess.Popen(waits, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, MARK: folder})
        for folder in (str(tmp_path), str(tmp_path / "other"))
    )
    try:
        for one in (of_cloud, other):  # a new process shows its variables a moment later
            assert one.stdout is not None
            assert one.stdout.readline() == b"\n"
        assert end_marked(MARK, str(tmp_path)) == 1
        assert (of_cloud.wait(100), other.poll()) == (-9, None)
        assert end_marked(MARK, str(tmp_path)) == 0
    finally:
        for one in (of_cloud, other):
            one.kill()
            one.communicate()
