"""What a hospital is told when the federation's server is not reached, or is another."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from medomicslab_nb.federated.connection import check_authority, check_connection


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 90) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    end = dt.datetime.now(dt.UTC) + dt.timedelta(days=days, minutes=1)
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(end - dt.timedelta(days=400))
            .not_valid_after(end).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
            .sign(key, SHA256()))
    (folder / "ca.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "ca.pem", folder / "key.pem"


@contextmanager
def server(chain: Path, key: Path) -> Iterator[str]:
    """A TLS server on loopback that lets one caller in; gives its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            caller, _ = listening.accept()
            try:
                context.wrap_socket(caller, server_side=True).close()
            except OSError:
                caller.close()

        thread = threading.Thread(target=greet)
        thread.start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        thread.join(timeout=10)


def test_a_server_that_the_authority_vouches_for_is_well(tmp_path: Path):
    ca, key = certificate(tmp_path / "own")
    with server(ca, key) as address:
        found = check_connection(address, ca)
    assert found.ok
    assert "valid for 90 more days" in found.words


def test_another_server_is_told_from_the_invitations(tmp_path: Path):
    ca, _ = certificate(tmp_path / "own")
    with server(*certificate(tmp_path / "foreign")) as address:
        found = check_connection(address, ca)
    assert not found.ok
    assert "not signed by the federation's authority" in found.words
    assert "Nothing was sent" in found.words


@pytest.mark.parametrize(("made", "words"), [({"days": -3}, "out of date"), ({"host": "10.1.2.3"}, "another address")])
def test_a_certificate_that_does_not_fit_is_told(tmp_path: Path, made: dict[str, object], words: str):
    ca, key = certificate(tmp_path / "own", **made)
    with server(ca, key) as address:
        found = check_connection(address, ca)
    assert not found.ok
    assert words in found.words


def test_a_certificate_that_ends_soon_is_told_in_time(tmp_path: Path):
    ca, key = certificate(tmp_path / "own", days=12)
    with server(ca, key) as address:
        found = check_connection(address, ca)
    assert found.ok
    assert "12 more days; ask the coordinator for a new one soon" in found.words


def test_a_machine_without_a_server_is_told(tmp_path: Path):
    ca, _ = certificate(tmp_path / "own")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert "no server runs there" in check_connection(f"127.0.0.1:{port}", ca).words


def test_a_name_that_nobody_knows_is_told(tmp_path: Path):
    ca, _ = certificate(tmp_path / "own")
    assert "name is not known here" in check_connection("nobody.invalid:9092", ca).words


def test_the_dates_of_the_authority_are_looked_at(tmp_path: Path):
    assert check_authority(certificate(tmp_path / "own")[0]).ok
    ended = check_authority(certificate(tmp_path / "old", days=-3)[0])
    assert not ended.ok
    assert "ended 3 days ago" in ended.words
    assert not check_authority(tmp_path / "missing.pem").ok
