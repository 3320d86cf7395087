"""The authority, the proxy, and the task root of functions."""

from __future__ import annotations

import asyncio
import contextlib
import io
import ssl
import zipfile
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path

import pytest

from cloud.api.proxy import Proxy
from cloud.api.task_root import WrongPackages, lay_out
from cloud.certificates import Authority
from tests.cloud.api.deployment import gateway_zip


def shown(authority: Authority, host: str) -> tuple[tuple[str, str], ...]:
    """The names on the certificate that a client which trusts the authority gets for a host."""
    server = authority.context(lambda name: f"*.{name.partition('.')[2]}")
    client = ssl.create_default_context(cafile=authority.file)
    (to_server, to_client) = (ssl.MemoryBIO(), ssl.MemoryBIO())
    ends = [
        client.wrap_bio(to_client, to_server, server_hostname=host),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(4):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return (ends[0].getpeercert() or {})["subjectAltName"]


def test_a_certificate_is_for_the_name_that_is_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    assert shown(authority, "run.models.localhost") == (("DNS", "*.models.localhost"),)
    with pytest.raises(ssl.SSLCertVerificationError):
        shown(authority, "localhost")


def test_an_authority_stays_in_its_folder_and_its_keys_are_this_users(tmp_path: Path) -> None:
    before = Authority(tmp_path).file.read_bytes()
    again = Authority(tmp_path)
    assert again.file.read_bytes() == before
    shown(again, "run.models.localhost")
    keys = [path for path in tmp_path.rglob("*") if path.is_file() and b"PRIVATE" in path.read_bytes()]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert len(keys) == 3


@contextlib.asynccontextmanager
async def proxied() -> AsyncIterator[tuple[int, int]]:
    """Ports of a proxy and of a server that says which of the two targets it is: ours."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"ours: " + await reader.read(100))
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy(is_ours=lambda host: host == "web.models.localhost", port=port)
    listener = await proxy.listen(0)
    try:
        yield listener.sockets[0].getsockname()[1], port
    finally:
        listener.close()
        await proxy.close()
        server.close()


async def said(port: int, text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_the_proxy_sends_the_clouds_names_to_the_cloud_and_others_on() -> None:
    async def answers() -> list[bytes]:
        async with proxied() as (port, server):
            return [
                await said(port, b"CONNECT Web.models.localhost:443 HTTP/1.1\r\nHost: x\r\n\r\nhello"),
                await said(port, b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nhello" % server),
                await said(port, b"CONNECT 127.0.0.1:9 HTTP/1.1\r\n\r\n"),
                await said(port, b"GET http://web.models.localhost/ HTTP/1.1\r\n\r\n"),
                await said(port, b"CONNECT nonsense HTTP/1.1\r\n\r\n"),
            ]

    found = asyncio.run(answers())
    connected = b"HTTP/1.1 200 Connection established\r\n\r\nours: hello"
    assert found[:2] == [connected, connected]
    assert [answer.partition(b"\r\n")[0] for answer in found[2:]] == [
        b"HTTP/1.1 502 Bad Gateway",
        b"HTTP/1.1 405 Method Not Allowed",
        b"HTTP/1.1 405 Method Not Allowed",
    ]


def test_packages_of_a_zip_are_this_environments_and_nothing_else_changes(tmp_path: Path) -> None:
    packed = gateway_zip()
    lay_out(packed, tmp_path)
    assert (tmp_path / "msgspec" / "__init__.py").is_symlink()
    assert not (tmp_path / "gateway_lambda" / "__init__.py").is_symlink()
    assert (tmp_path / "run.sh").stat().st_mode & 0o777 == 0o755
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()} == names


@pytest.mark.parametrize(
    ("package", "problem"),
    [
        (
            "msgspec-0.0.1",
            f"the function's zip has msgspec 0.0.1, and this environment {version('msgspec')}; run `make setup`, and "
            "deploy the gateway again",
        ),
        (
            "no_such_package-1.0",
            "the function's zip has no_such_package 1.0, and this environment has no no_such_package; run `make setup`",
        ),
    ],
)
def test_another_version_of_a_package_is_refused(tmp_path: Path, package: str, problem: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{package}.dist-info/METADATA", "")
    with pytest.raises(WrongPackages) as raised:
        lay_out(packed.getvalue(), tmp_path)
    assert str(raised.value) == problem
