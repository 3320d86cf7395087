"""One question of the domain name system, against a resolver on loopback that gives the bytes it is told to."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.preflight import name_servers
from infra.preflight.name_servers import ask_caa, ask_name_servers, ask_resolver, ask_resolver_for_caa

Reply = Callable[[bytes], bytes]


def name(text: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def answered(question: bytes, *records: tuple[int, bytes], status: int = 0, number: bytes | None = None) -> bytes:
    """An answer as resolvers give it: the question again, and each record's name as a pointer to it."""
    header = (number or question[:2]) + struct.pack("!5H", 0x8180 | status, 1, len(records), 0, 0)
    rest = b"".join(b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 300, len(data)) + data for kind, data in records)
    return header + question[12:] + rest


@contextmanager
def resolver(reply: Reply) -> Iterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(60)

        def serve() -> None:
            question, who = listening.recvfrom(512)
            listening.sendto(reply(question), who)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()
        finally:
            thread.join()


def truncated(answer: bytes) -> bytes:
    return answer[:2] + struct.pack("!H", 0x8380) + answer[4:]


def servers(reply: Reply, domain: str = "example.com") -> object:
    with resolver(reply) as address:
        return ask_resolver(domain, address, timeout=60)


def test_name_servers_are_read_with_their_compressed_names() -> None:
    second = b"\x04ns-2" + struct.pack("!H", 0xC000 | 12)
    found = servers(lambda question: answered(question, (2, name("NS-1.awsdns-1.com")), (2, second)))
    assert found == ["ns-1.awsdns-1.com", "ns-2.example.com"]


def test_other_records_in_an_answer_are_no_name_servers() -> None:
    found = servers(lambda question: answered(question, (5, name("elsewhere.org")), (2, name("ns.elsewhere.org"))))
    assert found == ["ns.elsewhere.org"]


def test_the_question_is_for_name_servers_by_recursion() -> None:
    asked: list[bytes] = []

    def reply(question: bytes) -> bytes:
        asked.append(question)
        return answered(question)

    assert servers(reply, "gpu.bücher.example") == []
    flags, questions = struct.unpack("!2H", asked[0][2:6])
    assert (flags, questions) == (0x0100, 1)
    assert asked[0][12:] == name("gpu.xn--bcher-kva.example") + struct.pack("!2H", 2, 1)


def test_a_domain_that_does_not_exist_has_none() -> None:
    assert servers(lambda question: answered(question, status=3)) == []


@pytest.mark.parametrize(
    "reply",
    [
        lambda question: answered(question, status=5),
        lambda question: truncated(answered(question, (2, name("ns.example.com")))),
        lambda question: answered(question, number=bytes([question[0] ^ 1, question[1]])),
        lambda question: question[:7],
        lambda question: answered(question, (2, b"\xc0\x0c"))[:-1],
        lambda question: answered(question, (2, struct.pack("!H", 0xC000 | (12 + 13 + 4 + 12)))),
        lambda question: b"",
    ],
    ids=[
        "a refusal",
        "a part of one",
        "another question's",
        "cut short",
        "cut in a name",
        "a name that is its own rest",
        "nothing",
    ],
)
def test_an_answer_that_is_none_is_not_taken_for_one(reply: Reply) -> None:
    assert servers(reply) is None


def test_a_resolver_that_finds_nobody_who_answers_says_so() -> None:
    assert servers(lambda question: answered(question, status=2)) == "failed"


def test_the_name_servers_of_another_name_are_not_the_domains() -> None:
    """As where the domain is another name for something, by a record for all names of its zone."""

    def reply(question: bytes) -> bytes:
        record = name("elsewhere.org") + struct.pack("!2HIH", 2, 1, 300, 8) + name("ns.org")
        return question[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + question[12:] + record

    assert servers(reply) == []


def test_nobody_who_answers_is_none() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        assert ask_resolver("example.com", silent.getsockname(), timeout=0.05) is None


def test_a_name_that_cannot_be_asked_for_is_none() -> None:
    assert ask_resolver(f"{'x' * 64}.com", ("127.0.0.1", 9), timeout=0.05) is None


def test_the_machines_resolvers_are_asked_one_after_the_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# a comment\nsearch example.org\nnameserver 127.0.0.2\nnameserver 127.0.0.1\n")
    asked: list[object] = []

    def ask(domain: str, address: tuple[str, int], *, timeout: float) -> list[str] | None:
        asked.append((domain, address))
        return None if address[0] == "127.0.0.2" else ["ns.example.com"]

    monkeypatch.setattr(name_servers, "RESOLVERS", file)
    monkeypatch.setattr(name_servers, "ask_resolver", ask)
    assert ask_name_servers("example.com") == ["ns.example.com"]
    assert asked == [("example.com", ("127.0.0.2", 53)), ("example.com", ("127.0.0.1", 53))]
    monkeypatch.setattr(name_servers, "RESOLVERS", tmp_path / "missing")
    assert ask_name_servers("example.com") is None


def caa(flags: int, tag: str, value: str) -> tuple[int, bytes]:
    return 257, bytes([flags, len(tag)]) + tag.encode() + value.encode()


def test_caa_records_are_read_with_their_tags_and_values() -> None:
    alias = (5, name("elsewhere.org"))

    def reply(question: bytes) -> bytes:
        assert question[-4:] == struct.pack("!2H", 257, 1)
        return answered(question, alias, caa(0, "Issue", "amazon.com; x=1"), caa(128, "issuewild", ";"))

    with resolver(reply) as address:
        found = ask_resolver_for_caa("example.com", address, timeout=60)
    assert found == [("issue", "amazon.com; x=1"), ("issuewild", ";")]


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (lambda question: answered(question, status=3), []),
        (lambda question: answered(question, status=2), None),
        (lambda question: answered(question, (257, b"\x00")), None),
        (lambda question: answered(question, caa(0, "issue", "\xe9")), None),
    ],
    ids=["no such name", "no server", "cut short", "not ASCII"],
)
def test_an_answer_without_caa_records(reply: Reply, found: object) -> None:
    with resolver(reply) as address:
        assert ask_resolver_for_caa("example.com", address, timeout=60) == found


def test_the_machines_resolvers_are_asked_for_caa_records_until_one_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.2\nnameserver 127.0.0.1\nnameserver 127.0.0.3\n")
    answers: dict[str, list[tuple[str, str]] | None] = {"127.0.0.2": None, "127.0.0.1": [("issue", "x.org")]}
    monkeypatch.setattr(name_servers, "RESOLVERS", file)
    monkeypatch.setattr(name_servers, "ask_resolver_for_caa", lambda domain, address, *, timeout: answers[address[0]])
    assert ask_caa("example.com") == [("issue", "x.org")]
    monkeypatch.setattr(name_servers, "RESOLVERS", tmp_path / "missing")
    assert ask_caa("example.com") is None
