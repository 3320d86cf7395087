"""The certificates of the cloud's names. An authority of the cloud makes each one when a client asks for it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = timedelta(days=365)
_BEFORE = timedelta(hours=1)
"""A certificate is valid from an hour ago: a clock can be late."""
UNKNOWN = "*.execute-api.amazonaws.com"
"""The certificate for names that the cloud does not have. A client sees that it is for other names, as on AWS."""


class Authority:
    """Signs certificates. Its own is in `ca.pem` of the folder, for clients to trust."""

    def __init__(self, folder: Path) -> None:
        """Use the authority in the folder, or make one there. Raises `OSError`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "ca.pem"
        private = folder / "ca.key"
        self._folder = folder / "certificates"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        if not (self.file.exists() and private.exists() and _still_valid(self.file)):
            key, certificate = _made_authority()
            _write(private, _pem(key))
            self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key = serialization.load_pem_private_key(private.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise OSError(f"{private} is not a key that this program wrote. Remove it, and start again")
        self._key = key
        self._certificate = x509.load_pem_x509_certificate(self.file.read_bytes())
        self._contexts: dict[str, ssl.SSLContext] = {}

    def context(self, certified: Callable[[str], str | None]) -> ssl.SSLContext:
        """Return the settings of a server that shows the certificate of the name that a client asks for.

        `certified` returns the name on the certificate for a host, `None` for a host that the cloud does not have.
        """

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, host: str | None, _: ssl.SSLContext) -> None:
            connection.context = self._context((certified(host.lower()) if host else None) or UNKNOWN)

        server = _server_context()
        self._load(server, UNKNOWN)
        server.sni_callback = choose
        return server

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._contexts:
            context = _server_context()
            self._load(context, name)
            self._contexts[name] = context
        return self._contexts[name]

    def _load(self, context: ssl.SSLContext, name: str) -> None:
        path = self._folder / f"{name.replace('*', '_')}.pem"
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(name, self._certificate.subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(path, _pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        context.load_cert_chain(path)


def _server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _made_authority() -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "make cloud")])
    certificate = (
        _builder("make cloud", name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
    )


def _key_usage() -> x509.KeyUsage:
    wanted = ("key_cert_sign", "crl_sign")
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    others = dict.fromkeys((*names, "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(**dict.fromkeys(wanted, True), **others)


def _still_valid(file: Path) -> bool:
    found = x509.load_pem_x509_certificate(file.read_bytes())
    return found.not_valid_after_utc > datetime.now(UTC) + timedelta(days=7)


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _write(path: Path, data: bytes) -> None:
    """Write a file that only this user can read."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
