"""What a hospital looks at before it takes part: rules, keys, certificates, connection, and patients for each plan."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.federated.approval import SHORT, Approval, Approvals, code_hash
from medomicslab_nb.federated.audit import AuditLog
from medomicslab_nb.federated.connection import Finding, check_authority, check_connection
from medomicslab_nb.federated.patients import SitePatients, read_patients
from medomicslab_nb.federated.policy import check_columns, check_patients
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.site_folder import SiteFolder, read_site
from medomicslab_nb.stages import load
from medomicslab_nb.study import open_study


def check(study: Path | str) -> Iterator[Finding]:
    """Everything that has to be well, one finding each, for the site's own people: it counts patients.

    Raises
    ------
    StudyError
        The study is no site.
    SettingsError
        ``site.yaml`` cannot be read.
    """
    folder = read_site(study)
    yield Finding("rules", _rules(folder.policy))
    yield _key(folder)
    yield _audit(folder)
    yield check_authority(folder.ca)
    yield check_connection(folder.address, folder.ca)
    yield _node(folder)
    yield from _plans(folder)


def _rules(policy: PolicySettings) -> str:
    algorithms = ", ".join(policy.algorithms) or "every algorithm"
    columns = ", ".join(policy.columns) or "every column"
    return (f"{algorithms}; {columns}; from {policy.minimum_patients} patients and {policy.minimum_events} events on; "
            f"at least {policy.minimum_count} patients behind every number; {policy.rounds_per_day} answers a day")


def _key(folder: SiteFolder) -> Finding:
    try:
        folder.check_key()
    except MedomicsError as error:
        return Finding("key", str(error), ok=False)
    return Finding("key", "private, and readable for its owner only")


def _audit(folder: SiteFolder) -> Finding:
    try:
        return Finding("audit log", f"whole, {AuditLog(folder.path / 'audit.jsonl').verify()} entries")
    except MedomicsError as error:
        return Finding("audit log", str(error), ok=False)


def _node(folder: SiteFolder) -> Finding:
    status = load("medomicslab_nb.federated.launch:supernode_status")(folder.home)
    if status["state"] == "stopped":
        return Finding("taking part", "not at this moment. Type: medomicslab site start STUDY")
    return Finding("taking part", status["words"], ok=status["state"] == "connected")


def _plans(folder: SiteFolder) -> Iterator[Finding]:
    try:
        entries = [entry for entry in Approvals(folder.path / "approvals").entries() if not entry.revoked]
    except MedomicsError as error:
        yield Finding("plans", str(error), ok=False)
        return
    if not entries:
        yield Finding("plans", "none is approved yet, so that nothing is answered. "
                               "Type: medomicslab site approve STUDY PLAN")
    for entry in entries:
        yield _plan(folder, entry)


def _plan(folder: SiteFolder, entry: Approval) -> Finding:
    """Whether a plan that was approved could run: same code, columns that are there and allowed, enough patients."""
    name = f"plan {entry.plan[:SHORT]}"
    if entry.code != code_hash():
        return Finding(name, f"approved with code {entry.code[:SHORT]}, and {code_hash()[:SHORT]} is installed now: "
                             "nothing of it is answered. Approve it anew, as the coordinator sends it again, or take "
                             f"it back: medomicslab site revoke STUDY {entry.plan[:SHORT]}", ok=False)
    try:
        settings = FederatedSettings.parse(entry.settings["settings"])
        patients, notes = read_patients(open_study(folder.study_path), settings)
        check_columns(folder.policy, settings, patients)
        check_patients(folder.policy, patients, "training", "schema")
    except MedomicsError as error:
        return Finding(name, str(error), ok=False)
    return Finding(name, " ".join([f"{settings.algorithm}, {_counts(patients)}.", *notes]))


def _counts(patients: SitePatients) -> str:
    testing = int(patients.testing.sum())
    words = f"{len(patients)} patients, of whom {testing} judge the model"
    if patients.endpoint.kind in ("binary", "survival"):
        words += f"; {int(np.sum(patients.endpoint.event))} have the event"
    return f"{words}; {patients.frame.shape[1]} columns"
