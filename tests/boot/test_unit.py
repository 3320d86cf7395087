"""The script's first run, by cloud-init: it becomes a systemd unit."""

from __future__ import annotations

from collections.abc import Callable

from tests.boot.machine import Machine

Boots = Callable[..., Machine]


def test_without_arguments_it_installs_itself_as_a_unit_and_starts_that(machine: Boots) -> None:
    boot = machine()
    assert boot.run() == 0
    installed = boot.file_system / "opt/servestack/boot"
    assert installed.read_text() == boot.script
    assert installed.stat().st_mode & 0o7777 == 0o700
    assert (
        (boot.file_system / "etc/systemd/system/servestack.service").read_text()
        == f"""[Unit]
Description=servestack run run
Wants=network-online.target
After=network-online.target dlami-nvme.service docker.service nvidia-fabricmanager.service
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart={installed} serve
Restart=on-failure
RestartPreventExitStatus=78
RestartSec=1
KillMode=mixed
TimeoutStopSec=120
StandardOutput=journal+console
StandardError=journal+console
[Install]
WantedBy=multi-user.target
"""
    )
    assert [call.arguments for call in boot.calls()] == [
        ("daemon-reload",),
        ("--no-block", "enable", "--now", "servestack.service"),
    ]


def test_an_unknown_argument_is_refused(machine: Boots) -> None:
    boot = machine()
    assert boot.run("restart") == 64
    assert boot.calls() == []
