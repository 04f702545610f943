"""Do all sites have the same columns, enough patients and events, and is a zero a zero?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.checks import impossible_zeros
from medomicslab_nb.federated.messages import Answers, Question, Release, Task, Values
from medomicslab_nb.federated.patients import KINDS, SitePatients
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.federated.tasks.parts import part_of
from medomicslab_nb.federated.tasks.preparation import as_numbers, is_few

_DIFFERENT = 10  # different values up to which a column says nothing about how far they lie from 0
_WHOLE = 10  # patients of a site that has nothing but zeros, from which that is no chance


@dataclass(frozen=True)
class Schema:
    """What the sites have in common, of their training patients; of sites that only judge, of those who judge.

    Attributes
    ----------
    kind : str
        Of the endpoint: "binary", "continuous" or "survival".
    unit : str
        Of the outcome or the follow-up time.
    numeric : tuple of str
    categories : mapping of str to tuple of str
        Levels that enough patients of some site that trains have; numbers by value, before words. What only judging
        patients have is no level: a model knows nothing of it, and it cannot be the reference.
    zeros : tuple of str
        Numeric columns in which 0 means missing.
    patients, events : mapping of str to int
        Of each site; every patient counts as an event of a continuous outcome.
    known : mapping of str to mapping of str to int
        By site and column; 0 where too few for their number to be told. Zeros that mean missing are not counted.
    notes : tuple of str
        What was decided, in whole sentences.
    """

    kind: str
    unit: str
    numeric: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    zeros: tuple[str, ...]
    patients: Mapping[str, int]
    events: Mapping[str, int]
    known: Mapping[str, Mapping[str, int]]
    notes: tuple[str, ...]

    @property
    def sites(self) -> tuple[str, ...]:
        return tuple(self.patients)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that are used, numeric ones first."""
        return (*self.numeric, *self.categories)


def check_schema(settings: FederatedSettings) -> Task:
    """The :class:`Schema` of the sites (one question).

    Raises
    ------
    DataError
        Sites differ in their columns, the types of columns or the endpoint, or a site has no patient with the outcome
        or none without: the error names the site.
    """
    answers: Answers = yield Question("schema", {}, "Columns and numbers of patients",
                                      {site: {"part": "testing"} for site in settings.test_sites})
    _same_endpoint(answers, KINDS.get(settings.algorithm, ""))
    _same_columns(answers)
    kinds = _same_kinds(answers)
    training = {site: values for site, values in answers.items() if site not in settings.test_sites}
    if not training:
        raise DataError("no site is left to train the model", where="setting 'test_sites'",
                        todo="Name fewer sites that only judge")
    _both_classes(training, settings.outcome, "training")
    _both_classes({site: values for site, values in answers.items() if site not in training}, settings.outcome,
                  "judging")
    _known_columns(settings.true_zeros, kinds)
    numbers = [name for name, kind in kinds.items() if kind == "number" and name not in settings.true_zeros]
    zeros = {name: reason for name in numbers if (reason := _zero_reason(
        name, {site: values["columns"][name] for site, values in answers.items()}))}
    known = {site: {name: _known(values["columns"][name], name in zeros) for name in kinds}
             for site, values in answers.items()}
    levels = {name: _levels(name, training) for name, kind in kinds.items() if kind == "category"}
    left_out = [name for name in kinds if not any(known[site][name] for site in training)
                or (name in levels and len(levels[name]) < 2)]
    return Schema(
        kind=next(iter(answers.values()))["kind"], unit=max(values["unit"] for values in answers.values()),
        numeric=tuple(name for name in kinds if name not in levels and name not in left_out),
        categories={name: found for name, found in levels.items() if name not in left_out},
        zeros=tuple(name for name in zeros if name not in left_out),
        patients={site: values["patients"] for site, values in answers.items()},
        events={site: values["events"] for site, values in answers.items()}, known=known,
        notes=(*_zero_notes(zeros, answers), *_new_level_notes(levels, answers), *_other_level_notes(levels, answers),
               *(f"'{name}' is left out: no site has values of it that differ, or too few patients have them."
                 for name in left_out)))


def schema_step(patients: SitePatients, values: Values, minimum: int) -> Release:
    """Names and kinds of columns, how often each is known and 0, and how many patients and events there are.

    A count of 1 to ``minimum`` - 1, or of which the rest is so few, is not told (None).
    """
    part = part_of(patients, values)
    columns = {name: _category(part.frame[name], minimum) if name in part.categorical
               else _number(part.frame, name, minimum) for name in part.frame.columns}
    n, events = len(part), int(part.endpoint.events)
    told = [column[what] for column in columns.values() for what in ("known", "zero") if column.get(what) is not None]
    released = {"kind": part.endpoint.kind, "unit": part.endpoint.unit, "patients": n, "events": events,
                "order": list(columns), "columns": columns}
    rest = [n - events] if part.endpoint.kind == "binary" else []
    return Release(released, _words(columns, n, events, minimum), n, [n, events, *rest, *told])


def _words(columns: Mapping[str, Any], n: int, events: int, minimum: int) -> str:
    return (f"names and types of {len(columns)} columns, in how many patients each is known and how many zeros it has, "
            f"whether its other values lie far from 0, categories of {minimum} patients or more, and the numbers of "
            f"patients ({n}) and events ({events})")


def _number(frame: pd.DataFrame, name: str, minimum: int) -> dict[str, Any]:
    """A numeric column: known, zero (None: not told), and how its other values lie."""
    numbers = as_numbers(frame, [name], ())[:, 0]
    numbers = numbers[~np.isnan(numbers)]
    others = numbers[numbers != 0]
    zero = len(numbers) - len(others)
    hidden = is_few(zero, minimum) or is_few(len(others), minimum)
    return {"kind": "number", "known": _told(len(numbers), minimum), "zero": None if hidden else zero,
            "others": "few" if is_few(len(others), minimum) else _others(others)}


def _others(values: np.ndarray) -> str:
    """How values other than 0 lie: of "mixed" signs, "few" different ones, "near" 0 or "apart" from it."""
    if (values < 0).any():
        return "mixed"
    if len(np.unique(values)) <= _DIFFERENT:
        return "few"
    # The rule of the models stage, asked whether two zeros among these values would be impossible.
    return "apart" if impossible_zeros(pd.Series(np.append(values, [0.0, 0.0]), name="x")) else "near"


def _category(column: pd.Series, minimum: int) -> dict[str, Any]:
    counts = column.value_counts()
    enough = counts[counts >= minimum]
    return {"kind": "category", "known": _told(int(enough.sum()), minimum), "levels": sorted(enough.index)}


def _told(count: int, minimum: int) -> int | None:
    return None if is_few(count, minimum) else count


def _same_endpoint(answers: Answers, wanted: str) -> None:
    """Refuse outcomes of different kinds or units; a site that says no unit has that of the others."""
    for what in ("kind", "unit"):
        found = {site: values[what] for site, values in answers.items() if values[what]} or {"": ""}
        usual = wanted if what == "kind" and wanted else _most_common(found.values())
        others = [site for site, value in found.items() if value != usual]
        if others:
            raise DataError(f"the {what} of the outcome is '{found[others[0]]}' and not '{usual}'", where=_at(others),
                            todo="Code the outcome in the same way at all sites")


def _same_columns(answers: Answers) -> None:
    """Refuse sites that lack columns which most others have, or have columns that they do not."""
    found = {site: frozenset(values["columns"]) for site, values in answers.items()}
    usual = _most_common(found.values())
    wrong = {site: columns for site, columns in found.items() if columns != usual}
    if not wrong:
        return
    model = next(site for site, columns in found.items() if columns == usual)
    said = [f"'{site}' {_difference(usual, columns, answers[site]['order'], answers[model]['order'])}"
            for site, columns in wrong.items()]
    raise DataError(f"columns differ from those of '{model}': {'; '.join(said)}", where=_at(list(wrong)),
                    todo="Name the columns in the same way at all sites, or list those that all have in the setting "
                         "'predictors'")


def _difference(usual: frozenset[str], columns: frozenset[str], own: Sequence[str], others: Sequence[str]) -> str:
    lacking = [name for name in others if name in usual - columns]
    more = [name for name in own if name in columns - usual]
    return " and ".join(f"{word} {_listed(names)}" for word, names in (("lacks", lacking), ("also has", more)) if names)


def _same_kinds(answers: Answers) -> dict[str, str]:
    """Kind of each column, in the order of the first site; refuse those that differ.

    A site at which a column is empty has no say in its kind.
    """
    kinds: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    for name in next(iter(answers.values()))["order"]:
        told = {site: values["columns"][name] for site, values in answers.items()}
        found = {site: column["kind"] for site, column in told.items() if column["known"] != 0}
        kinds[name] = _most_common((found or {site: column["kind"] for site, column in told.items()}).values())
        for site, kind in found.items():
            if kind != kinds[name]:
                wrong.setdefault(site, []).append(f"'{name}' is a {kind} at '{site}' and a {kinds[name]} elsewhere")
    if wrong:
        said = [sentence for sentences in wrong.values() for sentence in sentences]
        more = f", and {len(said) - 5} more" if len(said) > 5 else ""
        raise DataError(f"types of columns differ: {'; '.join(said[:5])}{more}", where=_at(list(wrong)),
                        todo="Give the columns the same types in the data dictionaries of all sites")
    return kinds


def _both_classes(answers: Answers, outcome: str, who: str) -> None:
    """Refuse sites without a case, or without anybody else."""
    without = [site for site, values in answers.items() if values["events"] == 0]
    if without:
        raise DataError(f"no {who} patient has the outcome '{outcome}' (no positive case)", where=_at(without),
                        todo="Check how the outcome is coded there, or leave the site out")
    only = [site for site, values in answers.items() if values["kind"] == "binary"
            and values["events"] == values["patients"]]
    if only:
        raise DataError(f"every {who} patient has the outcome '{outcome}'", where=_at(only),
                        todo="Check how the outcome is coded there, or leave the site out")


def _known_columns(names: Sequence[str], kinds: Mapping[str, str]) -> None:
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise DataError(f"there is no predictor '{unknown[0]}'", where="setting 'true_zeros'",
                        todo="Name columns that the run uses")


def _zero_reason(name: str, told: Mapping[str, Mapping[str, Any]]) -> str:
    """Why 0 in a column means missing at all sites; empty: it does not.

    The rules of :func:`~medomicslab_nb.evaluation.checks.impossible_zeros`, by name and by distance from the other
    values, with the sites' own judgements for the latter; and that one site has nothing but zeros in a column that
    elsewhere is positive throughout and continuous.
    """
    zeros = {site: column["zero"] for site, column in told.items() if column["kind"] == "number"}
    # A number that is not told is 2 at the least, as far as the rules ask.
    if sum(2 if count is None else count for count in zeros.values()) == 0:
        return ""
    if impossible_zeros(pd.Series([0.0], name=name)):
        return "a measurement that is never 0 in a living patient"
    others = {told[site]["others"] for site in zeros}
    continuous = bool(others & {"near", "apart"}) and "mixed" not in others
    several = sum(2 if count is None else count for count in zeros.values()) >= 2
    if continuous and "near" not in others and several:
        return "its other values lie far from 0"
    whole = [site for site, count in zeros.items() if count is not None and count == told[site]["known"] >= _WHOLE]
    if continuous and whole and all(count == 0 for site, count in zeros.items() if site not in whole):
        return f"{_sites(whole)} has nothing else, and no other site has any"
    return ""


def _zero_notes(zeros: Mapping[str, str], answers: Answers) -> list[str]:
    notes = []
    for name, reason in zeros.items():
        told = {site: values["columns"][name]["zero"] for site, values in answers.items()}
        counts = ", ".join(f"{site} {'few' if count is None else count}" for site, count in told.items() if count != 0)
        notes.append(f"0 in '{name}' counts as missing at every site: {reason} (zeros: {counts}). The setting "
                     "true_zeros keeps them.")
    return notes


def _new_level_notes(levels: Mapping[str, Sequence[str]], answers: Answers) -> list[str]:
    """On categories that only sites which judge have."""
    found = [(name, site, sorted(set(values["columns"][name].get("levels", ())) - set(known), key=_order))
             for name, known in levels.items() for site, values in answers.items()]
    return [f"'{name}' has categories at {site} that nobody has who trains the model ({', '.join(new)}): there it "
            "counts as missing." for name, site, new in found if new]


def _other_level_notes(levels: Mapping[str, Sequence[str]], answers: Answers) -> list[str]:
    """On sites that share no category of a column with any other: a sign that it is coded in another way."""
    notes = []
    for name in levels:
        told = {site: set(values["columns"][name].get("levels", ())) for site, values in answers.items()}
        for site, own in told.items():
            others = set().union(*(found for other, found in told.items() if other != site))
            if own and others and not own & others:
                notes.append(f"No other site has a category of '{name}' that {site} has "
                             f"({', '.join(sorted(own, key=_order))}): check that it is coded in the same way.")
    return notes


def _known(column: Mapping[str, Any], without_zeros: bool) -> int:
    known = column["known"] or 0
    return known - (column["zero"] or 0) if without_zeros and column["kind"] == "number" else known


def _levels(name: str, answers: Answers) -> tuple[str, ...]:
    found = {level for values in answers.values() for level in values["columns"][name].get("levels", ())}
    return tuple(sorted(found, key=_order))


def _order(level: str) -> tuple[float, str]:
    """Numbers by value, before words."""
    try:
        return float(level), level
    except ValueError:
        return float("inf"), level


def _most_common(values: Any) -> Any:
    """The most frequent value; of several, the first."""
    return Counter(values).most_common(1)[0][0]


def _at(sites: Sequence[str]) -> str:
    return f"{'site' if len(sites) == 1 else 'sites'} {', '.join(sites)}"


def _sites(names: Sequence[str]) -> str:
    return " and ".join(names)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
