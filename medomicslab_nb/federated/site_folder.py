"""What a hospital keeps beside its study to take part in a federation: ``STUDY/site``.

::

    site.yaml     name, federation, address, and the rules for what may leave; edited by hand
    ca.pem        the federation's authority: the only server that is talked to has its signature
    keys/         private.pem (mode 600, never leaves), public.pem (is sent to the coordinator)
    approvals/    what was approved: plans and the hash of the code
    audit.jsonl   what was asked and what left, appended to only
    flower/       home of the SuperNode: process, log
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medomicslab_nb.errors import ProtectionError, SettingsError, StudyError
from medomicslab_nb.federated.invitation import Invitation, check_site_name, split_address
from medomicslab_nb.federated.settings import PolicySettings
from medomicslab_nb.files import FORMAT_PREFIX, read_document, write_bytes, write_yaml
from medomicslab_nb.settings import explain
from medomicslab_nb.study import open_study

FORMAT_VERSION = 1
NAME = "site"
"""The folder's name inside of the study."""


@dataclass(frozen=True)
class SiteFolder:
    """A site's folder as it stands.

    Attributes
    ----------
    path : Path
        ``STUDY/site``.
    site : str
        The name under which the hospital takes part.
    federation : str
        The federation's name.
    address : str
        ``HOST:PORT`` of the federation's server.
    study : str
        Name of the study whose patients take part.
    policy : PolicySettings
        What the hospital lets out.
    """

    path: Path
    site: str
    federation: str
    address: str
    study: str
    policy: PolicySettings

    @property
    def study_path(self) -> Path:
        return self.path.parent

    @property
    def ca(self) -> Path:
        return self.path / "ca.pem"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def private_key(self) -> Path:
        return self.keys / "private.pem"

    @property
    def public_key(self) -> Path:
        return self.keys / "public.pem"

    @property
    def home(self) -> Path:
        """Where the SuperNode keeps its process and its log."""
        return self.path / "flower"

    def check_key(self) -> None:
        """Refuse a private key that is missing, or that others on this machine can read.

        Raises
        ------
        ProtectionError
        """
        if not self.private_key.is_file():
            raise ProtectionError("the private key is missing", where=f"site {self.site}",
                                  todo="Restore it from a copy, or make a new site folder and register it again")
        if stat.S_IMODE(self.private_key.stat().st_mode) & 0o077:
            raise ProtectionError("others on this machine can read the private key", where=f"site {self.site}",
                                  todo="Type: chmod 600 site/keys/private.pem in the study's folder. If somebody else "
                                       "may have copied it, make a new one and tell the coordinator")


def site_path(study: Path | str) -> Path:
    """Where a study's site folder is."""
    return Path(study).expanduser().resolve() / NAME


def create_site(study: Path | str, invitation: Invitation, policy: PolicySettings) -> SiteFolder:
    """Make the site folder of a study, without its keys.

    Raises
    ------
    StudyError
        There is no such study, or it is a site already.
    """
    opened = open_study(study)
    path = opened.path / NAME
    if (path / "site.yaml").exists():
        raise StudyError(f"the study is the site '{read_site(study).site}' already", where=f"study {opened.name}",
                         todo="Correct site/site.yaml by hand; 'medomicslab site keys' makes new keys. Do not begin "
                              "anew with the same patients: the ledger would not know what has left")
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    folder = SiteFolder(path, invitation.site, invitation.federation, invitation.address, opened.name, policy)
    folder.keys.mkdir(mode=0o700, exist_ok=True)
    write_bytes(folder.ca, invitation.ca.encode())
    write_site(folder)
    return folder


def write_site(folder: SiteFolder) -> None:
    """Store what ``site.yaml`` holds; readable for its owner only."""
    path = folder.path / "site.yaml"
    write_yaml(path, {"format": FORMAT_PREFIX + "site", "format_version": FORMAT_VERSION, "site": folder.site,
                      "federation": folder.federation, "address": folder.address, "study": folder.study,
                      "policy": folder.policy.model_dump(mode="json")})
    path.chmod(0o600)


def read_site(study: Path | str) -> SiteFolder:
    """The site folder of a study.

    Raises
    ------
    StudyError
        The study is no site, or the file is damaged.
    SettingsError
        ``site.yaml`` holds a rule that does not exist, or a value that it cannot have.
    """
    path = site_path(study)
    if not (path / "site.yaml").exists():
        raise StudyError("this study is no site of a federation", where=path.parent.name,
                         todo=f"Type: medomicslab site init {path.parent.name} --invitation FILE")
    content = read_document(path / "site.yaml", "site", FORMAT_VERSION)
    site, federation, address, study = (_entry(content, name) for name in ("site", "federation", "address", "study"))
    check_site_name(site)
    split_address(address)
    return SiteFolder(path, site, federation, address, study, read_policy(content.get("policy") or {}, "site.yaml"))


def _entry(content: Mapping[str, Any], name: str) -> str:
    if not content.get(name):
        raise SettingsError(f"'{name}' is missing", where="site.yaml", todo="Copy it from the invitation")
    return str(content[name])


def read_policy(rules: Mapping[str, Any], where: str) -> PolicySettings:
    """The rules that a mapping holds.

    Raises
    ------
    SettingsError
        Names each unknown rule with the nearest right one, and each value that a rule cannot have.
    """
    try:
        return PolicySettings.model_validate(rules)
    except ValidationError as error:
        faults = [explain(PolicySettings, fault) for fault in error.errors(include_url=False, include_input=False)]
        raise SettingsError("; ".join(faults), where=where,
                            todo=f"The rules are: {', '.join(PolicySettings.model_fields)}") from None


