"""What goes into a request to a replica, and what limits are reckoned with, is checked when a record is read."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from gateway_lambda.address import Address, BadAddress, address, check_host
from gateway_lambda.registry.file import decode_registry
from gateway_lambda.registry.items import read_items
from gateway_lambda.registry.record import Key, Model, RateLimit, Service

DIGEST = "aB" * 32


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("http://127.0.0.1:3000", Address(False, "127.0.0.1", 3000, b"", b"127.0.0.1:3000")),
        ("https://Web.example.org/", Address(True, "Web.example.org", 443, b"", b"Web.example.org")),
        ("HTTP://a_b-c.internal./x/y%20z//", Address(False, "a_b-c.internal.", 80, b"/x/y%20z", b"a_b-c.internal.")),
        ("http://[::1]:8000/v1", Address(False, "::1", 8000, b"/v1", b"[::1]:8000")),
        (f"http://{'a' * 63}.b/{'x' * 500}", Address(False, f"{'a' * 63}.b", 80, b"/" + b"x" * 500, b"a" * 63 + b".b")),
    ],
)
def test_an_address_is_taken_apart(base: str, found: Address) -> None:
    assert address(base) == found
    assert address(base, "other:81") == found._replace(host=b"other:81")


NO_ADDRESSES = [
    "",
    "http://",
    "127.0.0.1:3000",
    "ftp://x",
    "http://a..b",
    "http://.a",
    f"http://{'a' * 64}",
    "http://" + "a." * 127 + "a",
    "http://[::1",
    "http://[]",
    "http://127.0.0.1:99999",
    "http://127.0.0.1:0",
    "http://127.0.0.1:x",
    "http://127.0.0.1:",
    "http://user:secret@host",
    "http://bücher.example",
    "http://host/a b",
    "http://host/é",
    "http://host/?q",
    "http://host/#f",
    "http://host\\@evil",
    "http://host\n",
    " http://host",
    "http://ho\tst",
    "http://host/\r\nx-admin: 1",
]


@pytest.mark.parametrize("base", NO_ADDRESSES)
def test_what_is_no_address(base: str) -> None:
    with pytest.raises(BadAddress) as refused:
        address(base)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("host", ["", "a..b", "a b", "a:0", "a:65536", "a:b", "a/b", "a\r\nx: y", "é", "a@b"])
def test_what_is_no_host(host: str) -> None:
    for check in (lambda: check_host(host), lambda: address("http://a", host)):
        with pytest.raises(BadAddress):
            check()


URL = "url: use http://host or https://host in ASCII, with a port and a path if needed, without user and query"
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "url": ({"url": "http://a..b"}, URL),
    "one of several": ({"url": ["http://a", "http://user:secret@b"]}, URL),
    "port": ({"url": "http://a:70000"}, "url: use a port from 1 to 65535"),
    "host": (
        {"host": "a\r\nx: secret"},
        "host: use the name of a host in ASCII, with a port if needed",
    ),
    "key": (
        {"model": {"name": "m", "upstream_api_key": "secret\r\nx: y"}},
        "upstream_api_key: use printable ASCII without spaces - at `$.model`",
    ),
    "blank key": (
        {"model": {"name": "m", "upstream_api_key": " "}},
        "upstream_api_key: use printable ASCII without spaces - at `$.model`",
    ),
    "prefix": (
        {"model": {"name": "m", "prefix": "v1"}},
        "prefix: use a path in ASCII that begins with /, without query and fragment - at `$.model`",
    ),
    "no rate": ({"rate_limits": [{"prefix": "/", "rps": 0}]}, "Expected `float` >= 1e-06 - at `$.rate_limits[0].rps`"),
    "tiny rate": (
        {"rate_limits": [{"prefix": "/", "rps": 1e-320}]},
        "Expected `float` >= 1e-06 - at `$.rate_limits[0].rps`",
    ),
    "huge rate": (
        {"rate_limits": [{"prefix": "/", "rps": 1e300}]},
        "Expected `float` <= 1e+18 - at `$.rate_limits[0].rps`",
    ),
    "burst": (
        {"rate_limits": [{"prefix": "/", "rps": 1, "burst": -1}]},
        "Expected `int` >= 0 - at `$.rate_limits[0].burst`",
    ),
}


@pytest.mark.parametrize(("fields", "problem"), BROKEN.values(), ids=BROKEN)
def test_a_record_that_cannot_be_used_is_left_out_of_table_and_file_and_breaks_nothing_else(
    fields: dict[str, Any], problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    broken = {"run": "x", **fields}
    good = {"run": "good", "url": "http://127.0.0.1:1"}
    items = [{"sk": {"S": f"run#{each['run']}"}, "record": {"S": json.dumps(each)}} for each in (broken, good)]
    found = read_items(items)
    wanted = [Service(run="good", url="http://127.0.0.1:1")]
    assert (found.registry.services, found.problems) == (wanted, (f"run#x: {problem}",))
    registry = decode_registry(json.dumps({"services": [broken, good]}).encode(), "file")
    assert registry.services == wanted
    assert [record.getMessage() for record in caplog.records] == [f"file: the gateway ignores service 0: {problem}"]
    assert "secret" not in problem


@pytest.mark.parametrize("digest", ["", "a" * 63, "a" * 65, "g" * 64, "a" * 64 + "\n", "sk-secret"])
def test_a_key_is_known_by_a_digest(digest: str) -> None:
    items = [{"sk": {"S": "key#bad"}, "sha256": {"S": digest}}, {"sk": {"S": "key#good"}, "sha256": {"S": DIGEST}}]
    found = read_items(items)
    assert found.registry.keys == [Key(name="good", sha256=DIGEST)]
    assert len(found.problems) == 1
    assert "secret" not in found.problems[0]


def test_what_is_made_here_is_checked_as_well() -> None:
    for make in (
        lambda: Service(run="x", url="http://a..b"),
        lambda: Service(run="x", host="a b"),
        lambda: Model(name="m", prefix="v1"),
        lambda: Model(name="m", upstream_api_key="a\nb"),
    ):
        with pytest.raises(ValueError, match=": use "):
            make()
    assert msgspec.json.decode(msgspec.json.encode(RateLimit(prefix="/", rps=1 / 60)), type=RateLimit).rps == 1 / 60
    assert Model(name="m", prefix="", upstream_api_key=" key\n").upstream_api_key == " key\n"
