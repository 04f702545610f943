"""How much is known of each attribute: mentions by context, patients by status. Counts only."""

from __future__ import annotations

import pandas as pd

from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.patient_table import NEGATED, STATED

COLUMNS = ("attribute", "mentions", *CONTEXTS, "reviewed", "patients_stated", "patients_negated", "patients",
           "conflicts", "policy", "rules")


def coverage(facts: pd.DataFrame, per_patient: pd.DataFrame) -> pd.DataFrame:
    """One row an attribute, in the order of ``per_patient``.

    Parameters
    ----------
    facts : DataFrame
        A fact table.
    per_patient : DataFrame
        Made of it by :func:`~medomicslab_nb.text.patient_table.patient_facts`.

    Returns
    -------
    DataFrame
        ``mentions`` that nobody has rejected, and how many of them are negated, uncertain, ...; ``reviewed``: decided
        by an annotator, the rejected among them;
        ``patients_stated`` and ``patients_negated``: of whom some value is said to be so, or only said not to be so;
        ``conflicts``: patients whose notes say different things; ``rules``: which rules of which version.
    """
    rows = [_row(str(name), own, facts[facts["attribute"] == name])
            for name, own in per_patient.groupby("attribute", sort=False)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(
        {name: "str" if name in ("attribute", "policy", "rules") else "int64" for name in COLUMNS})


def _row(name: str, own: pd.DataFrame, mentions: pd.DataFrame) -> dict[str, object]:
    stated = set(own.loc[own["status"] == STATED, "patient"])
    negated = set(own.loc[own["status"] == NEGATED, "patient"]) - stated
    live = mentions[mentions["status"] != "rejected"]
    versions = mentions[mentions["rule"] != ""].groupby("rule")["rule_version"].max()
    return {"attribute": name, "mentions": len(live),
            **{context: int(live["context"].str.split(";").map(lambda parts, one=context: one in parts).sum())
               for context in CONTEXTS},
            "reviewed": int((mentions["status"] != "suggested").sum()), "patients_stated": len(stated),
            "patients_negated": len(negated), "patients": own["patient"].nunique(),
            "conflicts": own.loc[own["conflicts"] > 0, "patient"].nunique(), "policy": own["policy"].iloc[0],
            "rules": ", ".join(f"{rule} {version}" for rule, version in versions.items())}
