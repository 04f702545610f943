"""A federation's own authority, its server's certificate, and a site's pair of keys.

The authority is made for one federation: it vouches for one server, and sites trust no other. Private keys have mode
600 and never travel.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from medomicslab_nb.errors import SettingsError
from medomicslab_nb.files import write_bytes

_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 825  # the longest that clients of the web take, and some hospitals check
_HERE = ("localhost", "127.0.0.1", "::1")  # the coordinator's own programs reach the server by these


@dataclass(frozen=True)
class Certificates:
    """Files of a server's certificate.

    Attributes
    ----------
    ca : Path
        Certificate of the authority, which every site has.
    certificate : Path
        The server's.
    key : Path
        The server's private key.
    """

    ca: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path, hosts: Iterable[str]) -> Certificates:
    """Make a server's certificate for these names and addresses, and the authority that signs it if there is none.

    An authority that is there stays, so that a certificate can be made anew without any site noticing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority_key, authority = _authority(files.ca, folder / "ca.key")
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([_name(host) for host in dict.fromkeys((*hosts, *_HERE))])
    certificate = (_certificate("federation server", key.public_key(), authority.subject, _SERVER_DAYS)
                   .add_extension(names, critical=False)
                   .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
                   .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                   .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
                                  critical=False)
                   .sign(authority_key, hashes.SHA256()))
    _write_private(files.key, key)
    write_bytes(files.certificate, certificate.public_bytes(Encoding.PEM))
    return files


def make_keys(folder: Path) -> tuple[Path, Path]:
    """Make a site's pair of keys; gives the files of the private and of the public one."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private, public = folder / "private.pem", folder / "public.pem"
    key = ec.generate_private_key(ec.SECP384R1())
    _write_private(private, key)
    write_bytes(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def load_private_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """A site's private key.

    Raises
    ------
    SettingsError
        The file is missing or holds another kind of key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key
    raise SettingsError("the private key cannot be read", where=path.name,
                        todo="Restore it from a copy, or make a new pair of keys and have it registered")


def load_public_key(path: Path) -> bytes:
    """A site's public key as Flower knows it.

    Raises
    ------
    SettingsError
        The file is missing or holds another kind of key.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError):
        key = None
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name.startswith("secp"):
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    raise SettingsError("this is no public key of a site", where=path.name,
                        todo="Ask the site for the file that 'medomicslab site init' has named")


def _authority(path: Path, key_path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    if path.exists() and key_path.exists():
        return load_private_key(key_path), x509.load_pem_x509_certificate(path.read_bytes())
    key = ec.generate_private_key(ec.SECP384R1())
    usage = x509.KeyUsage(digital_signature=False, content_commitment=False, key_encipherment=False,
                          data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
                          encipher_only=False, decipher_only=False)
    certificate = (_certificate("federation authority", key.public_key(), None, _AUTHORITY_DAYS)
                   .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                   .add_extension(usage, critical=True)
                   .sign(key, hashes.SHA256()))
    _write_private(key_path, key)
    write_bytes(path, certificate.public_bytes(Encoding.PEM))
    return key, certificate


def _certificate(name: str, key: ec.EllipticCurvePublicKey, issuer: x509.Name | None,
                 days: int) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    begin = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)  # clocks of hospitals differ
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject).public_key(key)
            .serial_number(x509.random_serial_number()).not_valid_before(begin)
            .not_valid_after(begin + dt.timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
