"""Whether the federation's server is reached from here, and is who it should be; what is wrong, in words."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from medomicslab_nb.federated.invitation import split_address

_TIMEOUT_S = 10.0
SOON_DAYS = 30
"""Days before its end at which a certificate should be made anew."""

_REASONS = {
    10: "its certificate is out of date",
    18: "its certificate is not signed by the federation's authority",
    19: "its certificate is not signed by the federation's authority",
    20: "its certificate is not signed by the federation's authority",
    62: "its certificate is for another name",
    64: "its certificate is for another address",
}
"""OpenSSL's codes of verification (openssl verify, X509_V_ERR_...)."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    what : str
        What was looked at: "connection".
    words : str
        What was found and, where it is not well, what to do.
    ok : bool
    """

    what: str
    words: str
    ok: bool = True


def check_connection(address: str, ca: Path) -> Finding:
    """Connect to the server as the SuperNode does: encrypted, and only to whom the authority vouches for."""
    host, port = split_address(address)
    try:
        context = ssl.create_default_context(cafile=str(ca))
        with socket.create_connection((host, port), timeout=_TIMEOUT_S) as plain, \
                context.wrap_socket(plain, server_hostname=host) as encrypted:
            certificate = encrypted.getpeercert() or {}
    except OSError as error:
        return Finding("connection", f"{address}: {_fault(error)}", ok=False)
    days = _days_left(ssl.cert_time_to_seconds(str(certificate["notAfter"])))
    return _dated("connection", f"{address} answers, encrypted, with a certificate of the federation's authority", days)


def check_authority(ca: Path) -> Finding:
    """The dates of the authority's certificate."""
    try:
        return _dated("certificate", "the federation's authority", certificate_days(ca))
    except (OSError, ValueError):
        return Finding("certificate", f"{ca.name} cannot be read: copy it from the invitation again", ok=False)


def certificate_days(path: Path) -> int:
    """Whole days until a certificate (PEM) ends; below 0 when it has."""
    from cryptography.x509 import load_pem_x509_certificate

    return _days_left(load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc.timestamp())


def _dated(what: str, words: str, days: int) -> Finding:
    if days < 0:
        return Finding(what, f"{words}: its certificate ended {-days} days ago. Ask the coordinator for a new one",
                       ok=False)
    soon = "; ask the coordinator for a new one soon" if days < SOON_DAYS else ""
    return Finding(what, f"{words}, valid for {days} more days{soon}")


def _days_left(end: float) -> int:
    return (dt.datetime.fromtimestamp(end, dt.UTC) - dt.datetime.now(dt.UTC)).days


def _fault(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASONS.get(error.verify_code, error.verify_message)
        return (f"this is not the server of the invitation ({reason}). Nothing was sent. Compare the authority's "
                "fingerprint with the coordinator by telephone")
    if isinstance(error, socket.gaierror):
        return "the name is not known here. Ask your network's administrators, or the coordinator for the address"
    if isinstance(error, TimeoutError):
        return f"no answer within {_TIMEOUT_S:.0f} s. A firewall may be in between: outgoing TCP to it must be open"
    if isinstance(error, ConnectionRefusedError):
        return "the machine answers, but no server runs there. Ask the coordinator whether the federation is started"
    if isinstance(error, ssl.SSLError):
        return "what answers there does not speak TLS. Ask the coordinator for the address"
    return f"there is no way to it ({error.strerror or type(error).__name__}). Ask your network's administrators"
