"""What a coordinator keeps of a federation: its authority, its server's certificate, and which site has which key.

::

    federation.yaml    name, address, and of every site the fingerprint of its key and its node
    certificates/      of the authority and of the server; their private keys have mode 600
    keys/SITE.pem      public keys that sites have sent
    invitations/       what sites were sent
    plans/             what sites are asked to approve
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from filelock import FileLock

from medomicslab_nb.errors import RunError, SettingsError, StudyError
from medomicslab_nb.federated.invitation import Invitation, check_site_name, in_pairs, split_address
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_bytes, write_yaml

FORMAT_VERSION = 1

_LOCK_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Member:
    """A site as the coordinator knows it.

    Attributes
    ----------
    key : str
        Fingerprint of its public key; empty until the site has sent it.
    node : int, optional
        The number that the server knows it by; None until the server has run since.
    """

    key: str = ""
    node: int | None = None


@dataclass(frozen=True)
class FederationFolder:
    """A federation's folder as it stands.

    Attributes
    ----------
    path : Path
    name : str
    address : str
        ``HOST:PORT`` at which sites reach the server.
    sites : mapping
        Every site that was invited, by its name.
    """

    path: Path
    name: str
    address: str
    sites: Mapping[str, Member]

    @property
    def certificates(self) -> Path:
        return self.path / "certificates"

    @property
    def registered(self) -> dict[str, Member]:
        """The sites whose key has come."""
        return {name: member for name, member in self.sites.items() if member.key}

    def node_ids(self) -> dict[str, int]:
        """The server's number of every site that has registered, by name.

        Raises
        ------
        RunError
            The server has not run since a site registered: without the error a run would leave it out in silence.
        """
        found = {}
        for name, member in self.registered.items():
            if member.node is None:
                raise RunError("the federation's server does not know this site yet", where=f"site {name}",
                               todo=f"Type: medomicslab federation start {self.path.name}")
            found[name] = member.node
        return found

    def key(self, site: str) -> Path:
        """Where a site's public key is."""
        return self.path / "keys" / f"{site}.pem"

    def site(self, name: str) -> Member:
        """The site of that name.

        Raises
        ------
        SettingsError
            It was not invited; the message gives the nearest name.
        """
        if name in self.sites:
            return self.sites[name]
        near = difflib.get_close_matches(name, self.sites, n=1)
        command = f"medomicslab federation invite {self.path.name} {name}"
        todo = f"Did you mean '{near[0]}'?" if near else f"Invite it: {command}"
        raise SettingsError(f"the site '{name}' was not invited", where=f"federation {self.name}", todo=todo)

    def update(self, site: str, change: Callable[[Member], Member]) -> FederationFolder:
        """The folder with one site changed, as it is stored now; two commands at once both get their way."""
        return self._changed(lambda sites: {**sites, site: change(sites.get(site, Member()))})

    def without(self, site: str) -> FederationFolder:
        """The folder as it is stored now, with one site less."""
        return self._changed(lambda sites: {name: member for name, member in sites.items() if name != site})

    def _changed(self, change: Callable[[Mapping[str, Member]], Mapping[str, Member]]) -> FederationFolder:
        with _lock(self.path):
            now = open_federation(self.path)
            changed = replace(now, sites=MappingProxyType(dict(change(now.sites))))
            _write(changed)
        return changed


def create_federation(path: Path | str, name: str, address: str) -> FederationFolder:
    """Make a federation's folder, without certificates.

    Raises
    ------
    StudyError
        The folder exists and is not empty.
    SettingsError
        The address is none.
    """
    folder = Path(path).expanduser()
    split_address(address)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError("the folder exists and is not empty", where=folder.name, todo="Choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    found = FederationFolder(folder.resolve(), name or folder.resolve().name, address, MappingProxyType({}))
    _write(found)
    return found


def open_federation(path: Path | str) -> FederationFolder:
    """Open a federation's folder.

    Raises
    ------
    StudyError
        There is none, or it is damaged.
    """
    folder = Path(path).expanduser().resolve()
    if not (folder / "federation.yaml").exists():
        raise StudyError("this is no federation's folder (federation.yaml is missing)", where=folder.name,
                         todo=f"Make one with: medomicslab federation new {folder.name} --address HOST:PORT")
    content = read_document(folder / "federation.yaml", "federation", FORMAT_VERSION)
    try:
        sites = {str(name): Member(str(entry.get("key") or ""), entry.get("node"))
                 for name, entry in (content.get("sites") or {}).items()}
        return FederationFolder(folder, str(content["name"]), str(content["address"]), MappingProxyType(sites))
    except (KeyError, AttributeError):
        raise StudyError("the file is damaged", where="federation.yaml", todo="Restore it from a copy") from None


def invite(folder: FederationFolder, site: str, ca: str) -> Path:
    """Write a site's invitation, again for one that was invited before; gives its file."""
    check_site_name(site)
    taken = next((name for name in folder.sites if name.lower() == site.lower() and name != site), None)
    if taken:
        raise SettingsError(f"there is a site '{taken}' already", where=f"federation {folder.name}",
                            todo="Names must differ in more than capitals")
    folder = folder.update(site, lambda member: member)
    path = folder.path / "invitations" / f"{site}.yaml"
    Invitation(folder.name, site, folder.address, ca).write(path)
    return path


def register(folder: FederationFolder, site: str, public_key: Path) -> FederationFolder:
    """Take a site's public key, or the new one of a site that had another.

    Raises
    ------
    SettingsError
        The site was not invited, the file is no public key, or another site has sent the same.
    """
    folder.site(site)
    content = _public_key(public_key)
    fingerprint = key_fingerprint(content)
    twin = next((name for name, member in folder.sites.items() if member.key == fingerprint and name != site), None)
    if twin:
        raise SettingsError(f"the site '{twin}' has this key", where=f"public key of '{site}'",
                            todo="Every hospital makes its own: medomicslab site init")
    write_bytes(folder.key(site), content)
    return folder.update(site, lambda member: member if member.key == fingerprint else Member(fingerprint))


def remove(folder: FederationFolder, site: str) -> FederationFolder:
    """Forget a site: its key and its invitation.

    Raises
    ------
    SettingsError
        There is no such site.
    """
    folder.site(site)
    folder.key(site).unlink(missing_ok=True)
    (folder.path / "invitations" / f"{site}.yaml").unlink(missing_ok=True)
    return folder.without(site)


def key_fingerprint(pem: bytes) -> str:
    """SHA-256 of a public key, the same for every way of writing it down.

    Raises
    ------
    SettingsError
        It is no public key.
    """
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except ValueError:
        raise SettingsError("this is no public key in PEM form", where="public key",
                            todo="Take the file public.pem that 'medomicslab site init' has named") from None
    return in_pairs(hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest())


def _public_key(path: Path) -> bytes:
    try:
        content = path.expanduser().read_bytes()
    except OSError:
        raise SettingsError("the file cannot be read", where=f"public key {path.name}",
                            todo="Check its path") from None
    if b"PRIVATE KEY" in content:
        raise SettingsError("this is a private key, which must not leave its site", where=f"file {path.name}",
                            todo="Delete it here, let the site make a new pair, and ask for public.pem")
    return content


def _write(folder: FederationFolder) -> None:
    sites = {name: {"key": member.key, "node": member.node} for name, member in sorted(folder.sites.items())}
    write_yaml(folder.path / "federation.yaml",
               {"format": FORMAT_PREFIX + "federation", "format_version": FORMAT_VERSION, "name": folder.name,
                "address": folder.address, "sites": sites})


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    with FileLock(path / ".lock", timeout=_LOCK_TIMEOUT_S):
        yield
