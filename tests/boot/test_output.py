"""The last lines of the container, in every state item that says why it does not serve."""

from __future__ import annotations

from collections.abc import Callable

from tests.boot.machine import Machine
from tests.boot.test_outcomes import GIVES_UP, TRIES_AGAIN, ends, items, says, steps

Boots = Callable[..., Machine]


def test_an_unknown_cause_has_the_last_20_lines(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", ends(3))
    boot.answer("docker-logs", "for line in {1..30}; do echo line $line; echo; done")
    assert boot.run("serve") == TRIES_AGAIN
    assert output(boot) == "\n".join(f"line {number}" for number in range(11, 31))


def test_a_known_cause_has_them_too(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", ends(1))
    boot.answer("docker-logs", "echo loading; echo CUDA out of memory >&2")
    assert boot.run("serve") == GIVES_UP
    assert output(boot) == "loading\nCUDA out of memory"


def test_a_container_that_ends_after_it_served_has_them_too(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-logs", "echo goodbye")
    boot.answer("curl-health", "printf 200")
    process = boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    assert [item for item in items(boot) if "output" in item] == [], "nothing is said of a container that serves"
    boot.container_ends(1)
    assert process.wait() == TRIES_AGAIN
    assert output(boot) == "goodbye"


def test_a_container_that_does_not_answer_yet_has_them_while_it_is_waited_for(machine: Boots) -> None:
    boot = machine()
    boot.clock_stops(after=0)
    boot.answer("docker-logs", "echo loading shard 1 of 9")
    boot.start("serve")
    boot.wait_until(lambda: "waiting for port 80" in steps(boot))
    assert output(boot) == "loading shard 1 of 9"


def test_a_container_that_wrote_nothing_or_was_never_started_has_none(machine: Boots) -> None:
    quiet, refused = machine(), machine()
    quiet.answer("docker-wait", ends(3))
    refused.answer("docker-run", says("docker: no", 125))
    for boot in (quiet, refused):
        assert boot.run("serve") == TRIES_AGAIN
        assert "output" not in items(boot)[-1]


def test_lines_of_another_container_are_not_shown(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-logs", says("Error response from daemon: No such container: servestack"))
    boot.answer("docker-wait", ends(3))
    assert boot.run("serve") == TRIES_AGAIN
    assert "output" not in items(boot)[-1]


def test_a_line_is_what_a_terminal_shows(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", ends(3))
    boot.answer(
        "docker-logs",
        r"""printf '\033[32mINFO\033[0m a "quoted" \\ path\tx\r\n 10%%|#\r 99%%|##\r100%%|###\n\xc3\xa9\xff\nlast' """,
    )
    assert boot.run("serve") == TRIES_AGAIN
    assert output(boot) == 'INFO a "quoted" \\ path x\n100%|###\n?\nlast'


def test_a_long_line_is_cut(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", ends(3))
    boot.answer("docker-logs", "printf '%0500d\\n' 0")
    assert boot.run("serve") == TRIES_AGAIN
    assert output(boot) == "0" * 400


def test_secrets_of_the_container_are_masked_wherever_they_stand(machine: Boots) -> None:
    key = "-----BEGIN KEY-----\nabcdefgh\nijkl\tmnöö\n-----END KEY-----\n"
    boot = machine(
        "env: [HF_TOKEN, LONGER, KEY, ONE, PLAIN=visible]\n",
        HF_TOKEN="correct*horse",
        LONGER="correct*horse[battery]",
        KEY=key,
        ONE="1",
    )
    boot.answer("docker-wait", ends(3))
    boot.answer(
        "docker-logs",
        f"cat <<'END'\n1 token=correct*horse in PLAIN=visible\nurl?x=correct*horse[battery]&y\n{key}{key!r}\nEND",
    )
    assert boot.run("serve") == TRIES_AGAIN
    said = output(boot).split("\n")
    assert said[:6] == ["1 token=*** in PLAIN=visible", "url?x=***&y", "***", "***", "***", "***"]
    assert said[6].startswith("'***\\n***\\nijkl")


def test_what_looks_like_a_secret_is_masked_whoever_it_belongs_to(machine: Boots) -> None:
    boot = machine()
    boot.answer("docker-wait", ends(3))
    boot.answer(
        "docker-logs",
        "cat <<'END'\n"
        "using hf_abcdefghijklmnopqrst and nvapi-0123456789abcdef\n"
        "non-default args: {'api_key': ['letmein-9'], 'port': 8000, 'max_total_tokens': 4096}\n"
        "Authorization: Bearer abc.def-ghi123\n"
        "proxy http://user:pass@proxy:3128 --api-key letmein-9\n"
        'DB_PASSWORD="letmein-9" eos_token=</s>\n'
        "AWS_SESSION_TOKEN=letmein-9 GET /model?X-Amz-Signature=0123456789&part=1 github_pat_11ABCDEFG0abcd\n"
        "END",
    )
    assert boot.run("serve") == TRIES_AGAIN
    assert output(boot).split("\n") == [
        "using *** and ***",
        "non-default args: {'api_key': ['***'], 'port': 8000, 'max_total_tokens': 4096}",
        "Authorization: Bearer ***",
        "proxy http://***@proxy:3128 --api-key ***",
        'DB_PASSWORD="***" eos_token=</s>',
        "AWS_SESSION_TOKEN=*** GET /model?X-Amz-Signature=***&part=1 ***",
    ]


def test_without_the_secrets_no_line_is_shown(machine: Boots) -> None:
    boot = machine("env: [HF_TOKEN=hf_x]\n")
    boot.answer("docker-wait", ends(3))
    boot.answer("docker-logs", "echo anything")
    boot.answer("docker-inspect", "exit 1")
    assert boot.run("serve") == TRIES_AGAIN
    assert "output" not in items(boot)[-1]


def test_the_lines_are_in_no_file_afterwards(machine: Boots) -> None:
    boot = machine("env: [HF_TOKEN=hf_secret_value]\n")
    boot.clock_stops(after=0)
    boot.answer("docker-logs", "echo hf_secret_value")
    boot.start("serve")
    boot.wait_until(lambda: "waiting for port 80" in steps(boot))
    left = [file for file in boot.file_system.rglob("*") if file.is_file() and b"hf_secret_value" in file.read_bytes()]
    assert left == []


def output(boot: Machine) -> str:
    return str(items(boot)[-1]["output"]["S"])
