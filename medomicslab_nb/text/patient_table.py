"""From mentions to one value a patient: by a policy per attribute, with what was negated, and what nobody mentions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from medomicslab_nb.text.attributes import Attribute, Policy, attributes

STATED, NEGATED, UNCERTAIN, ELSEWHERE, NOT_MENTIONED = "stated", "negated", "uncertain", "elsewhere", "not mentioned"
"""What is known of a patient: said to be so; said not to be; only in doubt; only of relatives, plans, or earlier
disease; or in no note."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Choice:
    """What a policy makes of one patient's mentions of one attribute (or of one of its values)."""

    status: str
    value: str
    conflicts: int
    """Mentions that count and say something else."""
    chosen: int
    """Row of the fact table that says it; -1 where none does."""


def patient_facts(facts: pd.DataFrame, patients: Sequence[str], policies: Mapping[str, Policy],
                  catalogue: Mapping[str, Attribute] | None = None) -> pd.DataFrame:
    """One row a patient and attribute; for attributes of several values at once (policy any), one a value found.

    Dates are no value of a patient: they stay in the fact table.

    Parameters
    ----------
    facts : DataFrame
        A fact table, in the order of notes and places; rejected facts are passed over.
    patients : sequence of str
        Everybody of whom there is a note: their rows say *not mentioned* where nothing is.
    policies : mapping
        By attribute, in place of the catalogue's.

    Returns
    -------
    DataFrame
        Columns patient, attribute, item (the value that the row is about, for policy any), status, value, unit,
        mentions, conflicts, policy, note, date, start, end: the last four say where the value stands.
    """
    known = dict(catalogue or attributes())
    live = facts[facts["status"] != "rejected"].reset_index(drop=True)
    live = live.assign(kind=[_standing(context, known.get(name)) for context, name in
                             zip(live["context"], live["attribute"], strict=True)],
                       coarse=[coarse(value, known.get(name)) for value, name in
                               zip(live["value"], live["attribute"], strict=True)])
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys([*known, *live["attribute"]]):
        policy = policies.get(name) or (known[name].policy if name in known else "any")
        mentions = live[live["attribute"] == name]
        if len(mentions) and not (name in known and known[name].kind == "date"):
            rows += _attribute_rows(name, policy, mentions, patients)
    columns = ["patient", "attribute", "item", "status", "value", "unit", "mentions", "conflicts", "policy", "note",
               "date", "start", "end"]
    return pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(
        ["patient", "attribute", "item", "status", "value", "unit", "policy", "note", "date"], "str"))


def coarse(value: str, attribute: Attribute | None) -> str:
    """A value at the level at which patients are compared: T2a is T2, IIIB is III."""
    if attribute is None or not attribute.coarse:
        return value
    match = re.match(attribute.coarse, value)
    return match[0] if match else value


def _standing(context: str, attribute: Attribute | None) -> str:
    """What a mention counts as."""
    parts = set(context.split(";"))
    if parts & {"family", "planned"} or ("history" in parts and not (attribute is None or attribute.earlier)):
        return ELSEWHERE
    if "uncertain" in parts:
        return UNCERTAIN
    return NEGATED if "negated" in parts else STATED


def _attribute_rows(name: str, policy: Policy, mentions: pd.DataFrame,
                    patients: Sequence[str]) -> list[dict[str, object]]:
    by_patient = dict(iter(mentions.groupby("patient", sort=False)))
    items = sorted(set(mentions["coarse"]) - {""}) if policy == "any" else [""]
    rows = []
    for patient in patients:
        own = by_patient.get(patient, mentions.iloc[:0])
        for item in items:
            about = own[own["coarse"].isin([item, ""])] if policy == "any" else own
            rows.append({"patient": patient, "attribute": name, "item": item, "policy": policy,
                         "mentions": len(about), **_where(_choose(about, policy), about)})
    return rows


def _choose(own: pd.DataFrame, policy: Policy) -> Choice:
    stated = own[own["kind"] == STATED]
    if len(stated):
        chosen = _chosen(stated, policy)
        value = str(own.at[chosen, "coarse"])
        against = (stated["coarse"] != value).sum() + (own["kind"] == NEGATED).sum()
        return Choice(STATED, value, int(against), int(chosen))
    for status in (NEGATED, UNCERTAIN, ELSEWHERE):
        rows = own.index[own["kind"] == status]
        if len(rows):
            return Choice(status, "", 0, int(rows[-1]))
    return Choice(NOT_MENTIONED, "", 0, -1)


def _chosen(stated: pd.DataFrame, policy: Policy) -> int:
    """Row of the mention that a policy takes; of equal ones the last, and of undated ones the order of notes."""
    ordered = stated.sort_values("date", kind="stable")
    sizes = ordered["coarse"].map(magnitude).to_numpy()
    place = {"last": -1, "any": -1, "first": 0, "max": sizes.argmax(), "min": sizes.argmin()}[policy]
    return int(ordered.index[int(place)])


def magnitude(value: str) -> float:
    """A value as a number to compare by: the largest of its numbers (a size), Roman numerals, words of degree.

    Values without any order are 0.
    """
    numbers = [float(part) for part in _NUMBER.findall(value)]
    if numbers:
        return max(numbers)
    return float(_DEGREES.get(value, 0))


_DEGREES = {"0": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "localised": 1, "locally advanced": 3, "metastatic": 4,
            "low": 1, "intermediate": 2, "high": 3}


def _where(choice: Choice, own: pd.DataFrame) -> dict[str, object]:
    row = own.loc[choice.chosen] if choice.chosen >= 0 else None
    place = dict.fromkeys(("unit", "note", "date"), "") | {"start": -1, "end": -1} if row is None else {
        name: row[name] for name in ("unit", "note", "date", "start", "end")}
    return {"status": choice.status, "value": choice.value, "conflicts": choice.conflicts, **place}


def text_features(table: pd.DataFrame, catalogue: Mapping[str, Attribute] | None = None, *,
                  minimum_patients: int = 1) -> pd.DataFrame:
    """One row a patient, one column an attribute: the block of predictors.

    Numbers and sizes (the largest dimension) are numbers, categories are text, and what a patient may have several of
    (policy any) is one column a value: 1 stated, 0 negated. Missing where it is not mentioned, in doubt, or only said
    of relatives, plans or earlier disease. Columns that fewer than ``minimum_patients`` patients have are left out.
    """
    known = dict(catalogue or attributes())
    patients = list(dict.fromkeys(table["patient"]))
    columns: dict[str, pd.Series] = {}
    for (name, item), rows in table.groupby(["attribute", "item"], sort=False):
        column = _column(rows.set_index("patient"), known.get(str(name)), str(item))
        title = name if item in ("", name) else f"{name} {item}"
        columns[str(title).replace(" ", "_")] = column.reindex(patients)
    frame = pd.DataFrame(columns, index=pd.Index(patients, name="patient"))
    return frame.loc[:, frame.notna().sum() >= minimum_patients].reset_index()


def _column(rows: pd.DataFrame, attribute: Attribute | None, item: str) -> pd.Series:
    if item:
        return rows["status"].map({STATED: 1.0, NEGATED: 0.0}).astype("float64")
    values = rows["value"].where(rows["status"] == STATED)
    if attribute is not None and attribute.kind in ("number", "size"):
        return values.map(lambda value: magnitude(value) if _NUMBER.search(value) else None,
                          na_action="ignore").astype("float64")
    if attribute is not None and attribute.kind == "category" and len(attribute.values) == 1:
        return rows["status"].map({STATED: 1.0, NEGATED: 0.0}).astype("float64")
    return values.where(values != "").astype("str")
