"""On AWS the table is asked over TLS, and only who can show a certificate for the name is believed."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.dynamodb import DynamoRegistry
from tests.registry.scripted_dynamodb import scripted_dynamodb
from tests.support.certificates import made_certificate

pytestmark = pytest.mark.usefixtures("patient")


def test_a_table_is_read_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = made_certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with scripted_dynamodb(_context(certificate)) as table:
        table.put_run("a")
        registry = DynamoRegistry("registry-1", table.environment)
        assert [service.run for service in asyncio.run(registry.table()).services] == ["a"]


@pytest.mark.parametrize("known", [True, False])
def test_whoever_cannot_show_the_names_certificate_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    certificate = made_certificate(tmp_path, "elsewhere.example.org" if known else "localhost")
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with scripted_dynamodb(_context(certificate)) as table:
        table.put_run("a")
        registry = DynamoRegistry("registry-1", table.environment)
        with pytest.raises(ServiceError):
            asyncio.run(registry.table())
        assert table.asked == []


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
