"""The name server of a machine: what it answers, byte for byte, and over the network of loopback."""

from __future__ import annotations

import struct

import pytest

from cloud.machines.nspawn.names import answer

QUESTION = b"\x04ghcr\x02io\x00\x00\x01\x00\x01"
"""ghcr.io, type A, class IN."""
QUERY = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + QUESTION


def test_every_name_is_the_registry_s() -> None:
    record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x0a\x63\x00\x01"
    assert answer(QUERY, "10.99.0.1") == b"\xab\xcd\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + QUESTION + record


def test_what_comes_after_the_question_is_not_repeated() -> None:
    """Programs add a record that says how long an answer may be."""
    extended = QUERY[:10] + b"\x00\x01" + QUESTION + b"\x00\x00\x29\x05\xc0\x00\x00\x00\x00\x00\x00"
    assert answer(extended, "10.99.0.1") == answer(QUERY, "10.99.0.1")


def test_a_name_has_no_address_of_version_6() -> None:
    query = QUERY[:-4] + b"\x00\x1c\x00\x01"
    assert answer(query, "10.99.0.1") == b"\xab\xcd\x81\x80\x00\x01\x00\x00\x00\x00\x00\x00" + query[12:]


def test_a_container_gets_no_names() -> None:
    assert answer(QUERY, None) == b"\xab\xcd\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" + QUESTION


@pytest.mark.parametrize("query", [b"", b"\xab\xcd", QUERY[:14], QUERY[:-3]])
def test_what_is_not_a_question_is_an_error(query: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        answer(query, "10.99.0.1")
