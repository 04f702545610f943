"""What a hospital is sent so that it can join a federation: one file in which nothing is secret."""

from __future__ import annotations

import hashlib
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from medomicslab_nb.errors import SettingsError, StudyError
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_yaml

FORMAT_VERSION = 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Invitation:
    """Who is invited, and how the coordinator's server is reached and known.

    Attributes
    ----------
    federation : str
    site : str
        The name under which the hospital takes part.
    address : str
        ``HOST:PORT`` of the server, as the hospital reaches it.
    ca : str
        Certificate of the federation's authority as PEM: a server whose certificate it has not signed is refused.
    """

    federation: str
    site: str
    address: str
    ca: str

    @property
    def fingerprint(self) -> str:
        """That of the authority, for two people to compare on the telephone."""
        return certificate_fingerprint(self.ca)

    def write(self, path: Path) -> None:
        write_yaml(path, {"format": FORMAT_PREFIX + "invitation", "format_version": FORMAT_VERSION,
                          "federation": self.federation, "site": self.site, "address": self.address, "ca": self.ca})

    @classmethod
    def read(cls, path: Path) -> Invitation:
        """The invitation of a file.

        Raises
        ------
        StudyError
            It is missing, damaged or no invitation.
        """
        content = read_document(path, "invitation", FORMAT_VERSION)
        try:
            found = cls(*(str(content[name]) for name in ("federation", "site", "address", "ca")))
            split_address(found.address)
            check_site_name(found.site)
            found.fingerprint  # noqa: B018  (refuses what is no certificate)
        except (KeyError, SettingsError):
            raise StudyError("the invitation is not complete", where=path.name,
                             todo="Ask the coordinator to send it again") from None
        return found


def certificate_fingerprint(pem: str) -> str:
    """SHA-256 of a certificate as ``openssl x509 -fingerprint -sha256`` prints it: ``AB:CD:...``.

    Raises
    ------
    SettingsError
        The text is no certificate.
    """
    try:
        return in_pairs(hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest())
    except ValueError:
        raise SettingsError("this is no certificate in PEM form", todo="Ask the coordinator for it again") from None


def in_pairs(digest: str) -> str:
    """Hexadecimal digits as people read them to each other: ``AB:CD:EF``."""
    return ":".join(digest[i:i + 2] for i in range(0, len(digest), 2)).upper()


def split_address(address: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``, or of ``[IPv6]:PORT``.

    Raises
    ------
    SettingsError
        It is not of this form.
    """
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isdigit() or not 0 < int(port) < 65536 or re.search(r"[\s/]", host):
        raise SettingsError(f"'{address}' is no address", where="address",
                            todo="Give HOST:PORT, for instance federation.hospital.org:9092")
    return host, int(port)


def check_site_name(name: str) -> None:
    """Refuse a name that is no plain file name.

    Raises
    ------
    SettingsError
    """
    if not _NAME.fullmatch(name):
        raise SettingsError("a site's name must be letters, digits, _ and -, at most 64", where="site",
                            todo="Choose another name, for instance CHUM")
