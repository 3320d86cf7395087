"""`commands` run in an interactive shell, which ignores the signal of `docker stop`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.boot.machine import Machine

Boots = Callable[..., Machine]

COMMANDS = "commands: [prepare, serve]\n"
SIGNALLED = ("--parent", "123")


@pytest.mark.parametrize(
    ("lines", "first_process", "signalled"),
    [
        pytest.param(COMMANDS, "sh", [SIGNALLED], id="a shell"),
        pytest.param("shell: bash\n" + COMMANDS, "bash", [SIGNALLED], id="another shell"),
        pytest.param(COMMANDS, "serve", [], id="the server itself, which the shell became"),
        pytest.param("entrypoint: [sh, -e]\n" + COMMANDS, "sh", [], id="a shell that is not interactive"),
        pytest.param("", "sh", [], id="the image's own command"),
    ],
)
def test_the_programs_of_an_interactive_shell_get_the_signal(
    machine: Boots, lines: str, first_process: str, signalled: list[tuple[str, ...]]
) -> None:
    boot = machine(lines)
    boot.answer("curl-health", "printf 200")
    boot.answer("docker-inspect", "printf 123")
    process = boot.file_system / "proc/123"
    process.mkdir(parents=True)
    (process / "comm").write_text(f"{first_process}\n")
    _serve_and_stop(boot)
    assert [call.arguments for call in boot.calls("pkill")] == signalled
    assert [call.key for call in boot.calls("pkill", "docker-stop")][-1] == "docker-stop"


def test_a_container_that_has_ended_gets_no_signal(machine: Boots) -> None:
    boot = machine(COMMANDS)
    boot.answer("curl-health", "printf 200")
    boot.answer("docker-inspect", "printf 0")
    _serve_and_stop(boot)
    assert boot.calls("pkill") == []


def _serve_and_stop(boot: Machine) -> None:
    process = boot.start("serve")
    boot.wait_until(lambda: len(boot.calls("aws-dynamodb-put-item")) > 0 and boot.calls("docker-wait"))
    boot.wait_until(lambda: '"serving"' in "".join(call.arguments[-1] for call in boot.calls("aws-dynamodb-put-item")))
    process.terminate()
    assert process.wait() == 0
