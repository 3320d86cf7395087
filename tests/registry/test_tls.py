"""On AWS the table is asked over TLS, and only who can show a certificate for the name is believed."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway_lambda.errors import ServiceError
from gateway_lambda.registry.dynamodb import DynamoRegistry
from tests.registry.scripted_dynamodb import scripted_dynamodb


def test_a_table_is_read_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = _certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with scripted_dynamodb(_context(certificate)) as table:
        table.put_run("a")
        registry = DynamoRegistry("registry-1", table.environment)
        assert [service.run for service in asyncio.run(registry.table()).services] == ["a"]


@pytest.mark.parametrize("known", [True, False])
def test_whoever_cannot_show_the_names_certificate_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    certificate = _certificate(tmp_path, "elsewhere.example.org" if known else "localhost")
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


def _certificate(folder: Path, name: str) -> Path:
    """A file with a new key and its own certificate for `name`."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path
