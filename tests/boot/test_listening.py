"""A server that does not answer the health check: where it listens, which paths it lacks. The replica's own probes."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.configuration import Secret
from infra.planning.boot.probes import REPLICA_PORT, probe_request
from infra.planning.checks import ReplicaProbe
from tests.boot.machine import Machine
from tests.boot.test_outcomes import failed_state, items, last_line, lines_of, steps

Boots = Callable[..., Machine]

SGLANG = (
    "type: service\nimage: i\nport: 8000\nresources: {gpu: 24GB}\n"
    "commands: [sglang serve --model-path a/b --port 8000]\n"
)
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
NSENTER = "--net=/proc/4242/ns/net"
ANY, OWN, OWN_6, ANY_6 = "00000000", "0100007F", f"{'0' * 24}01000000", "0" * 32
MAPPED = "0000000000000000FFFF00000100007F"


def listening(boot: Machine, *sockets: str, version_6: tuple[str, ...] = ()) -> None:
    """Make the socket table of the container: `ADDRESS:PORT` in the kernel's form, and an open connection."""
    folder = boot.file_system / "proc/4242/net"
    folder.mkdir(parents=True)
    for name, found in (("tcp", sockets), ("tcp6", version_6)):
        rows = [f"   {number}: {one} 00000000:0000 0A 00000000:00000000\n" for number, one in enumerate(found)]
        rows.append(f"   9: {ANY}:1F40 0200007F:D431 01 00000000:00000000\n")
        (folder / name).write_text(HEADER + "".join(rows))
    boot.answer("docker-inspect", "printf '4242\\n'")


@pytest.mark.parametrize(
    ("sockets", "version_6"),
    [((f"{OWN}:1F40",), ()), ((), (f"{MAPPED}:1F40",)), ((f"{OWN}:1F40",), (f"{OWN_6}:1F40",))],
)
def test_a_server_on_its_own_address_is_reached_by_a_rule_in_the_container_s_network(
    machine: Boots, sockets: tuple[str, ...], version_6: tuple[str, ...]
) -> None:
    boot = machine(service=SGLANG)
    listening(boot, f"{ANY}:1F41", *sockets, version_6=version_6)
    boot.answer("nsenter", 'if [[ $2 == iptables ]]; then printf "printf 200\\n" >"$STUBS/answers/curl-health"; fi')
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    assert [call.arguments for call in boot.calls("nsenter")] == [
        (NSENTER, "sysctl", "--quiet", "--write", "net.ipv4.conf.all.route_localnet=1"),
        (NSENTER, "iptables", "--wait", "--table", "nat", "--append", "PREROUTING", "--protocol", "tcp", "--dport",
         "8000", "--jump", "DNAT", "--to-destination", "127.0.0.1"),
    ]  # fmt: skip
    assert (
        "the server listens on 127.0.0.1 in the container, so the machine forwards port 8000 there; to need no "
        "forwarding, add --host 0.0.0.0 to the command of SGLang"
    ) in lines_of(boot)


@pytest.mark.parametrize(
    ("sockets", "version_6"),
    [((), ()), ((f"{ANY}:1F40",), ()), ((f"{OWN}:1F40", "020011AC:1F40"), ()), ((f"{OWN}:1F40",), (f"{ANY_6}:1F40",))],
)
def test_a_server_that_others_can_reach_is_left_alone(
    machine: Boots, sockets: tuple[str, ...], version_6: tuple[str, ...]
) -> None:
    boot = machine(service=SGLANG)
    listening(boot, *sockets, version_6=version_6)
    boot.answer("curl-health", "printf 000; exit 7", call=1)
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    assert boot.calls("docker-inspect")
    assert not boot.calls("nsenter")


@pytest.mark.parametrize(
    ("sockets", "version_6", "answer"), [((), (f"{OWN_6}:1F40",), "true"), ((f"{OWN}:1F40",), (), "exit 127")]
)
def test_a_server_that_cannot_be_reached_ends_the_start_at_once_with_the_remedy(
    machine: Boots, sockets: tuple[str, ...], version_6: tuple[str, ...], answer: str
) -> None:
    boot = machine(service=SGLANG)
    listening(boot, *sockets, version_6=version_6)
    boot.answer("nsenter", answer)
    assert boot.run("serve") == 78
    cause = (
        "the server listens on its own address in the container, where nothing else can reach it: add --host 0.0.0.0 "
        "to the command of SGLang"
    )
    assert last_line(boot).startswith(f"stopped, because another try cannot help: {cause}")
    assert failed_state(boot)[1] is True
    assert boot.call("docker-stop").arguments == ("stop", "-t", "10", "servestack")


def test_another_port_is_named_when_the_right_one_never_opens(machine: Boots) -> None:
    boot = machine(service=SGLANG, boot_timeout=60)
    listening(boot, f"{ANY}:7530", f"{OWN}:7531", version_6=(f"{ANY_6}:1F90",))
    boot.clock_stops(after=45)
    boot.start("serve")
    cause = (
        "port 8000 never opened: nothing in the container listens on it after 45 s; the container listens on 8080 "
        "30000; make the command listen on this port, on 0.0.0.0"
    )
    boot.wait_until(lambda: lines_of(boot)[-1:] == [f"still waiting: {cause}"])
    assert failed_state(boot) == (cause, False)


def test_a_port_that_is_open_and_answers_nothing_is_not_called_closed(machine: Boots) -> None:
    boot = machine(service=SGLANG, boot_timeout=60)
    listening(boot, f"{ANY}:1F40")
    boot.answer("curl-health", "printf 000; exit 52")
    boot.clock_stops(after=45)
    boot.start("serve")
    cause = (
        "port 8000 is open, but GET /health got no answer within 5 s, for 45 s: the server hangs, or does not speak "
        "HTTP without TLS there"
    )
    boot.wait_until(lambda: lines_of(boot)[-1:] == [f"still waiting: {cause}"])
    assert failed_state(boot) == (cause, False)


def test_a_404_that_lasts_ends_the_start_with_probes_as_the_remedy(machine: Boots) -> None:
    boot = machine(service=SGLANG)
    boot.answer("curl-health", "printf 503", call=1)
    boot.answer("curl-health", "printf 404")
    assert boot.run("serve") == 78
    cause = (
        "GET /health on port 8000 has answered 404 for 120 s, so the server does not have this path: name one that it "
        "has under probes, such as probes: [{type: http, url: /v1/models}]"
    )
    assert last_line(boot).startswith(f"stopped, because another try cannot help: {cause}")
    assert failed_state(boot)[1] is True
    assert boot.calls("docker-stop")


def test_a_404_that_passes_is_waited_for(machine: Boots) -> None:
    boot = machine(service=SGLANG)
    for call in range(1, 60):
        boot.answer("curl-health", "printf 503" if call % 20 == 0 else "printf 404", call=call)
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))


def test_a_path_that_comes_with_the_model_can_answer_404_for_long(machine: Boots) -> None:
    boot = machine(service="type: service\nimage: ollama/ollama\nport: 11434\nresources: {gpu: 24GB}\nmodel: llama3\n")
    for call in range(1, 60):
        boot.answer("curl-health", "printf 404", call=call)
    boot.answer("curl-health", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    assert "waiting for GET /v1/models/llama3, which answers 404" in steps(boot)


PROBES = """
env: [KEY]
probes:
  - {type: http, url: /ready}
  - {type: http, method: post, url: /check, interval: 3s, ready_after: 2, timeout: 7s, body: '{"a": 1}',
     headers: [{name: X-Key, value: '${{ env.KEY }}'}]}
"""
DOOR = (
    "DOCKER-USER", "--protocol", "tcp", "--match", "conntrack", "--ctdir", "ORIGINAL", "--ctorigdstport", "8000",
    "--jump", "REJECT", "--reject-with", "tcp-reset",
)  # fmt: skip


def test_a_port_that_cannot_be_opened_after_the_probes_is_named(machine: Boots) -> None:
    boot = machine(PROBES, KEY="s3cret")
    boot.answer("iptables", "if [[ $2 == --delete ]]; then echo 'iptables: Bad rule' >&2; exit 1; fi")
    boot.answer("curl-health", "printf 200")
    boot.answer("curl-probe", "printf 200")
    assert boot.run("serve") == 75
    assert failed_state(boot) == ("the port could not be opened after the probes: iptables: Bad rule", False)


def test_probes_that_take_too_long_are_named_and_not_what_was_before_them(machine: Boots) -> None:
    boot = machine("probes: [{type: http, method: post, interval: 1s, ready_after: 99}]\n", boot_timeout=60)
    for call in range(1, 11):
        boot.answer("curl-health", "printf 000; exit 7", call=call)
    boot.answer("curl-health", "printf 200")
    boot.answer("curl-probe", "printf 204")
    assert boot.run("serve") == 78
    assert any(line.startswith("still waiting: port 80 never opened") for line in lines_of(boot))
    assert last_line(boot) == (
        "the server is still waiting for probes[0], which answers 204; the replica did not serve within 60 s, so the "
        "instance is replaced"
    )


def test_a_replica_takes_no_requests_until_its_own_probes_have_succeeded(machine: Boots) -> None:
    boot = machine(PROBES, KEY="s3cret")
    boot.answer("iptables", "if [[ $2 == --check ]]; then exit 1; fi")
    boot.answer("curl-health", "printf 200")
    for call, answer in enumerate(("200", "500", "204"), start=1):
        boot.answer("curl-probe", f"printf {answer}", call=call)
    boot.answer("curl-probe", "printf 200")
    boot.start("serve")
    boot.wait_until(lambda: "serving" in steps(boot))
    calls = boot.calls()
    opened = max(index for index, call in enumerate(calls) if call.key == "iptables")
    before = calls[: opened + 1]
    sent = [call.key for call in before if call.key in ("iptables", "docker-run", "curl-health", "curl-probe")]
    assert sent == ["iptables", "iptables", "docker-run", "curl-health", *["curl-probe"] * 4, "iptables"]
    assert [call.arguments for call in boot.calls("iptables")] == [
        ("--wait", "--check", *DOOR),
        ("--wait", "--insert", *DOOR),
        ("--wait", "--delete", *DOOR),
    ]
    assert [int(call.arguments[0]) for call in before if call.key == "sleep"] == [3, 3, 3]
    probe = boot.calls("curl-probe")[0]
    assert probe.input == (
        'url = "http://127.0.0.1:8000/check"\nmax-time = 7\nrequest = "POST"\nheader = "X-Key: s3cret"\n'
        'data-raw = "{\\"a\\": 1}"\nheader = "Content-Type:"\n'
    )
    assert "waiting for probes[1], which answers 500" in steps(boot)
    assert "cause" not in items(boot)[-1]
    assert "s3cret" not in boot.output + boot.script
    assert not [call for call in boot.calls() if "s3cret" in str(call.arguments)]


def test_a_container_that_ends_while_it_is_probed_is_explained(machine: Boots) -> None:
    boot = machine(PROBES, KEY="s3cret")
    boot.answer("curl-health", "printf 200")
    boot.answer("curl-probe", "printf 500")
    boot.clock_stops(after=0)
    process = boot.start("serve")
    boot.wait_until(lambda: "waiting for probes[1], which answers 500" in steps(boot))
    boot.wait_until(lambda: "cause" in items(boot)[-1])
    cause = "probes[1] answers 500, and must answer 200 to 299 before the replica takes requests"
    assert failed_state(boot) == (cause, False)
    boot.container_ends(1)
    boot.clock_goes_on()
    assert process.wait() == 75
    assert "the container ended with status 1 before it served" in last_line(boot)


@pytest.fixture
def requests() -> Iterator[tuple[int, list[tuple[str, str, dict[str, str], bytes]]]]:
    """A server that keeps what it is sent."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            seen.append((self.command, self.path, dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        do_GET = do_POST = do_HEAD = do_DELETE = do_PUT = answer

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port, seen
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("method", "headers", "body", "sent"),
    [
        ("GET", {"X-A": 'a "b" \\n'}, None, b""),
        ("HEAD", {}, None, b""),
        ("POST", {}, None, b""),
        ("POST", {"Content-Type": "application/json"}, json.dumps({"a": 'é\n"\\\t'}), None),
        ("POST", {}, "@/etc/passwd\r\n\x0b'", None),
        ("DELETE", {}, "x", None),
        ("PUT", {}, None, b""),
    ],
)
def test_curl_sends_what_the_configuration_says(
    requests: tuple[int, list[tuple[str, str, dict[str, str], bytes]]],
    method: str,
    headers: dict[str, str],
    body: str | None,
    sent: bytes | None,
) -> None:
    port, seen = requests
    probe = ReplicaProbe(
        name="probes[0]",
        path="/a%20b/../c?d=[1]",
        method=method,
        headers=tuple((name, Secret(value)) for name, value in headers.items()),
        body=None if body is None else Secret(body),
        timeout=60,
        interval=1,
        ready_after=1,
    )
    text = probe_request(probe).replace(f":{REPLICA_PORT}/", f":{port}/")
    options = ("--silent", "--globoff", "--path-as-is", "--output", "/dev/null", "--write-out", "%{http_code}")
    ran = subprocess.run(["curl", *options, "--config", "-"], input=text, capture_output=True, text=True, timeout=100)
    assert (ran.stdout, ran.returncode) == ("204", 0)
    ((verb, path, got, content),) = seen
    assert (verb, path, content) == (method, "/a%20b/../c?d=[1]", (body or "").encode() if sent is None else sent)
    mine = {
        name: value for name, value in got.items() if name not in ("Host", "User-Agent", "Accept", "Content-Length")
    }
    assert mine == headers
