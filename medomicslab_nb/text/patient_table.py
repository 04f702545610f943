"""From mentions to one value a patient: by a policy per attribute, with what was negated, and what nobody mentions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.text.attributes import Attribute, Policy, attributes

STATED, NEGATED, UNCERTAIN, ELSEWHERE, NOT_MENTIONED = "stated", "negated", "uncertain", "elsewhere", "not mentioned"
"""What is known of a patient: said to be so; said not to be; only in doubt; only of relatives, plans, or earlier
disease; or in no note."""

_NUMBER = re.compile(r"\d+(?:\.\d+)?")


_STRENGTH = {ELSEWHERE: 0, UNCERTAIN: 1, NEGATED: 2, STATED: 3}
"""Which of a patient's mentions count: only those of the strongest standing."""

_PLACE = ("unit", "qualifier", "note", "date", "start", "end")


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
        qualifier, mentions, conflicts, policy, note, date, start, end: the last four say where the value stands.
        ``conflicts``: mentions that say another value, or deny this one.
    """
    known = dict(catalogue or attributes())
    live = facts[facts["status"] != "rejected"].reset_index(drop=True)
    live = live.assign(kind=[_standing(context, known.get(name)) for context, name in
                             zip(live["context"], live["attribute"], strict=True)],
                       coarse=[coarse(value, known.get(name)) for value, name in
                               zip(live["value"], live["attribute"], strict=True)])
    columns = ["patient", "attribute", "item", "status", "value", "unit", "qualifier", "mentions", "conflicts",
               "policy", "note", "date", "start", "end"]
    parts = [pd.DataFrame(columns=columns)]
    for name in dict.fromkeys([*known, *live["attribute"]]):
        policy = policies.get(name) or (known[name].policy if name in known else "any")
        mentions = live[live["attribute"] == name]
        if len(mentions) and not (name in known and known[name].kind == "date"):
            parts.append(_rows(mentions, policy, known.get(name), patients).assign(attribute=name, policy=policy))
    whole = dict.fromkeys(["mentions", "conflicts", "start", "end"], "int64")
    return pd.concat(parts[1:] or parts, ignore_index=True)[columns].astype(
        {name: whole.get(name, "str") for name in columns})


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


def _rows(mentions: pd.DataFrame, policy: Policy, attribute: Attribute | None,
          patients: Sequence[str]) -> pd.DataFrame:
    """One attribute: a row a patient, and value where there may be several."""
    items = (sorted(set(mentions["coarse"]) - {""}) if policy == "any" else []) or [""]
    about = _about(mentions, items)
    chosen = _chosen(about, policy, attribute)
    chosen = chosen.assign(status=chosen["kind"], value=chosen["coarse"].where(chosen["kind"] == STATED, ""))
    chosen["mentions"] = about.groupby(["patient", "item"]).size()
    chosen["conflicts"] = _against(about, chosen).groupby([about["patient"], about["item"]]).sum()
    nothing = {"status": NOT_MENTIONED, "value": "", "mentions": 0, "conflicts": 0,
               **dict.fromkeys(_PLACE, ""), "start": -1, "end": -1}
    everybody = pd.MultiIndex.from_product([patients, items], names=["patient", "item"])
    return chosen[list(nothing)].reindex(everybody).fillna(nothing).reset_index()


def _about(mentions: pd.DataFrame, items: Sequence[str]) -> pd.DataFrame:
    """The mentions with the item that each is about; what is denied or doubted without a value is so of every one."""
    if items == [""]:
        return mentions.assign(item="")
    named, general = mentions["coarse"] != "", (mentions["coarse"] == "") & (mentions["kind"] != STATED)
    every = [mentions[general].assign(item=item) for item in items] if general.any() else []
    return pd.concat([mentions[named].assign(item=mentions["coarse"]), *every]).sort_index(kind="stable")


def _chosen(about: pd.DataFrame, policy: Policy, attribute: Attribute | None) -> pd.DataFrame:
    """The mention that a policy takes of each patient and item; of equal ones the last, of undated ones by their order.

    Those with a value come before those without one, and numbers in the attribute's unit before others: a mention that
    cannot be compared takes no place of one that can.
    """
    ordered = about.sort_values("date", kind="stable")
    stated = ordered["kind"] == STATED
    sizes, turn = ordered["coarse"].map(magnitude), pd.Series(range(len(ordered)), index=ordered.index)
    ranks = pd.DataFrame({
        "kind": ordered["kind"].map(_STRENGTH),
        "usable": [_usable(*row, policy, attribute) for row in zip(ordered["coarse"], ordered["unit"], strict=True)],
        "size": (sizes * {"max": 1, "min": -1}.get(policy, 0)).where(stated, 0),
        "turn": turn.where(~stated, -turn) if policy == "first" else turn})
    # Rows may repeat (a denial of every value), so places, not labels.
    places = np.lexsort([ranks[name].to_numpy() for name in ("turn", "size", "usable", "kind")])
    return ordered.iloc[places].groupby(["patient", "item"], sort=False).tail(1).set_index(["patient", "item"])


def _usable(value: str, unit: str, policy: Policy, attribute: Attribute | None) -> int:
    """0 without a value, 1 with one, 2 with one that can be compared."""
    if not value:
        return 0
    if attribute is not None and attribute.kind in ("number", "size"):
        return 1 + _is_measured(value, unit, attribute)
    return 1 + (policy not in ("max", "min") or bool(_NUMBER.search(value)) or value in _DEGREES)


def _is_measured(value: str, unit: str, attribute: Attribute) -> bool:
    """Whether it is a number in the unit of its attribute; one without a unit is taken to be."""
    return bool(_NUMBER.search(value)) and unit in ("", attribute.unit)


def _against(about: pd.DataFrame, chosen: pd.DataFrame) -> pd.Series:
    """Mentions that say another value than the one that was taken, or deny it."""
    said = chosen.loc[pd.MultiIndex.from_frame(about[["patient", "item"]]), ["status", "value"]].set_axis(about.index)
    same, empty = about["coarse"] == said["value"], about["coarse"] == ""
    other = (about["kind"] == STATED) & ~same & ~empty
    denied = (about["kind"] == NEGATED) & (same | empty)
    return (other | denied) & (said["status"] == STATED)


def magnitude(value: str) -> float:
    """A value as a number to compare by: the largest of its numbers (a size), Roman numerals, words of degree.

    Values without any order are 0.
    """
    numbers = [float(part) for part in _NUMBER.findall(value)]
    if numbers:
        return max(numbers)
    return float(_DEGREES.get(value, 0))


_DEGREES = {"Ta": 0.5, "Tis": 0.5, "0": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "localised": 1,
            "locally advanced": 3, "metastatic": 4, "low": 1, "intermediate": 2, "high": 3}


def text_features(table: pd.DataFrame, catalogue: Mapping[str, Attribute] | None = None, *,
                  minimum_patients: int = 1, id_column: str = "patient") -> pd.DataFrame:
    """One row a patient, one column an attribute: the block of predictors.

    Numbers and sizes (the largest dimension) are numbers, categories are text, and what a patient may have several of
    (policy any) is one column a value: 1 stated, 0 negated. Missing where it is not mentioned, in doubt, only said
    of relatives, plans or earlier disease, or measured in another unit than the catalogue's. Columns that fewer than
    ``minimum_patients`` patients have are left out.

    Raises
    ------
    DataError
        Two columns would have one name, or one of them that of the patients (``id_column``).
    """
    known = dict(catalogue or attributes())
    patients = list(dict.fromkeys(table["patient"]))
    columns: dict[str, pd.Series] = {}
    for (name, item), rows in table.groupby(["attribute", "item"], sort=False):
        column = _column(rows.set_index("patient"), known.get(str(name)), str(item)).reindex(patients)
        if column.notna().sum() >= minimum_patients:
            title = str(name if item in ("", name) else f"{name} {item}").replace(" ", "_")
            _refuse_taken(title, (*columns, id_column, "patient"), str(name))
            columns[title] = column
    return pd.DataFrame(columns, index=pd.Index(patients, name=id_column)).reset_index()


def _refuse_taken(title: str, taken: Sequence[str], attribute: str) -> None:
    """A second column of one name would take the place of the first in silence. A value is not quoted: it is text."""
    if title in taken:
        raise DataError(f"a predictor of attribute '{attribute}' would have the name of another column", where="notes",
                        todo="Give the own term another name, or spell the value one way in the annotations")


def _column(rows: pd.DataFrame, attribute: Attribute | None, item: str) -> pd.Series:
    single = attribute is not None and attribute.kind == "category" and len(attribute.values) == 1
    if item or single or (rows["policy"] == "any").all():
        return rows["status"].map({STATED: 1.0, NEGATED: 0.0}).astype("float64")
    values = rows["value"].where(rows["status"] == STATED)
    if attribute is not None and attribute.kind in ("number", "size"):
        numbers = [magnitude(value) if status == STATED and _is_measured(value, unit, attribute) else None for
                   status, value, unit in zip(rows["status"], rows["value"], rows["unit"], strict=True)]
        return pd.Series(numbers, index=rows.index, dtype="float64")
    return values.where(values != "").astype("str")
