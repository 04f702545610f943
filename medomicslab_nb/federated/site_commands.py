"""What a hospital does: join a federation, read and approve plans, take part, and look at what has left."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from medomicslab_nb.errors import SettingsError, StudyError
from medomicslab_nb.federated.approval import SHORT, Approval, Approvals, check_code, summary
from medomicslab_nb.federated.audit import AuditLog
from medomicslab_nb.federated.certificates import make_keys
from medomicslab_nb.federated.federation_folder import key_fingerprint
from medomicslab_nb.federated.invitation import Invitation
from medomicslab_nb.federated.plan import plan_hash
from medomicslab_nb.federated.plan_file import PlanFile
from medomicslab_nb.federated.site_folder import SiteFolder, create_site, read_policy, read_site
from medomicslab_nb.stages import load


def init(study: Path | str, invitation: Path, rules: Mapping[str, Any]) -> tuple[SiteFolder, str]:
    """Make a study the site that was invited; gives its folder and the fingerprint of the federation's authority.

    Raises
    ------
    StudyError
        There is no such study, it is a site already, or the file is no invitation.
    SettingsError
        A rule does not exist or cannot have this value.
    """
    invited = Invitation.read(invitation.expanduser())
    folder = create_site(study, invited, read_policy(rules, "rules"))
    make_keys(folder.keys)
    folder.check_key()
    return folder, invited.fingerprint


def own_fingerprint(folder: SiteFolder) -> str:
    """That of the site's public key, as the coordinator sees it."""
    return key_fingerprint(folder.public_key.read_bytes())


def renew_keys(study: Path | str) -> SiteFolder:
    """Make a new pair of keys in place of one that was lost or seen; the old one is gone."""
    folder = read_site(study)
    make_keys(folder.keys)
    return folder


def read_plan(study: Path | str, plan: Path) -> tuple[PlanFile, str]:
    """A plan that was sent to a site, and what it would do there, in words.

    Raises
    ------
    StudyError, SettingsError
        The study is no site, or the file is no plan.
    SettingsError
        The plan is of another federation.
    ProtectionError
        It was made for another code than the one that is installed here.
    """
    folder = read_site(study)
    found = PlanFile.read(plan.expanduser())
    if found.federation != folder.federation:
        raise SettingsError(f"the plan is of the federation '{found.federation}', and this site is in "
                            f"'{folder.federation}'", where=plan.name, todo="Ask the coordinator")
    check_code(found.code)
    return found, summary(found.settings, folder.policy)


def approve(study: Path | str, plan: PlanFile, by: str = "") -> Approval:
    """Allow a plan, with the code that is installed now."""
    return Approvals(read_site(study).path / "approvals").approve(plan.settings, by=by or getpass.getuser())


def revoke(study: Path | str, plan: str) -> Approval:
    """Take an approval back; from now on nothing of this plan is answered.

    Parameters
    ----------
    plan : str
        The first digits of its hash, or its file.
    """
    file = Path(plan).expanduser()
    digits = plan_hash(PlanFile.read(file).plan) if file.is_file() else plan
    return Approvals(read_site(study).path / "approvals").revoke(digits)


def start(study: Path | str) -> None:
    """Take part until the process is ended: a server that is away, or does not know the site yet, is tried for ever.

    Raises
    ------
    ProtectionError
        The private key is missing, or others can read it.
    RunError
        The site takes part already.
    """
    folder = read_site(study)
    folder.check_key()
    load("medomicslab_nb.federated.launch:run_supernode")(
        folder.home, folder.address, folder.ca, folder.private_key, folder.study_path, folder.site)


def audit(study: Path | str, known: str = "") -> Iterator[str]:
    """The audit log in words, oldest first, after its chain was checked.

    Parameters
    ----------
    known : str
        The hash with which an earlier look at the log ended; that entry must still be there.

    Raises
    ------
    StudyError
        Nothing has been asked yet.
    RunError
        Entries were changed, removed, added or moved.
    """
    path = read_site(study).path / "audit.jsonl"
    if not path.exists() and not known:
        raise StudyError("nothing has been asked of this site yet", where=path.name)
    log = AuditLog(path)
    entries = log.verify(known)
    for row in log.read().to_dict("records"):
        yield _line(row)
    yield (f"The log is whole: {entries} entries. Its last line's hash, to be noted elsewhere and given with --known "
           f"next time: {log.head[:SHORT]}")


def _line(row: Mapping[Any, Any]) -> str:
    number = f" round {row['round']}" if row["round"] else ""
    size = f" ({row['bytes']} bytes, {row['patients']} patients)" if row["event"] == "released" else ""
    return (f"{row['time']:%Y-%m-%d %H:%M:%S}  {row['event']}  {row['run'] or '?'}{number}  {row['step']}: "
            f"{row['words']}{size}")
