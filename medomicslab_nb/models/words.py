"""What a run of the models stage says in whole sentences: the size of the sample, and what came out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import zip_longest

import numpy as np
import pandas as pd

from medomicslab_nb.evaluation.endpoints import Endpoint
from medomicslab_nb.evaluation.intervals import undercoverage_warning
from medomicslab_nb.evaluation.sample_size import sample_size
from medomicslab_nb.models.fitting import Patients
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.models.study_patients import CLINICAL

METRIC_WORDS = {"auc": "AUC", "c_index": "C-index", "auc_ovr": "AUC (one class against the rest)", "r2": "R2"}

_FEW_EVENTS = 100
_FEWEST = 5  # patients with, and without, the event of whom a number may be published


def alarms(lint: pd.DataFrame) -> list[str]:
    """The lint's alarms; an outcome in disguise is said elsewhere, column by column."""
    shown = lint[(lint["level"] == "alarm") & (lint["kind"] != "outcome_in_disguise")]
    return [f"Leakage: {line.what} {line.todo}." for line in shown.itertuples()]


def once(notes: Iterable[str]) -> list[str]:
    """Notes of several folds that differ in their numbers only are said once, with the range of each number."""
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for note in notes:
        pieces = re.split(r"(?<![\w.])(\d+)(?![\w.])", note)  # text and whole numbers in turn
        alike.setdefault(tuple(pieces[::2]), []).append(pieces[1::2])
    return ["".join(piece for pair in zip_longest(text, map(_range, zip(*numbers, strict=True)), fillvalue="")
                    for piece in pair) for text, numbers in alike.items()]


def _range(numbers: Iterable[str]) -> str:
    found = sorted({int(number) for number in numbers})
    return f"{found[0]}" if len(found) == 1 else f"{found[0]} to {found[-1]}"


def sample(patients: Patients, settings: ModelsSettings, *, cross_validated: bool) -> list[str]:
    """What the size of the sample means."""
    endpoint = patients.endpoint
    said = _not_harmonised(patients, settings)
    said += sample_size(endpoint, parameters(patients), horizon=settings.horizon).sentences()
    rare = min(endpoint.events, len(endpoint) - endpoint.events) if endpoint.kind == "binary" else endpoint.events
    if rare < _FEW_EVENTS:
        what = {"continuous": "patients", "multiclass": "patients in the smallest class"}.get(
            endpoint.kind, "events" if rare == endpoint.events else "patients without the event")
        said.append(f"With {rare} {what} the estimates below are uncertain: read the intervals, not the estimates "
                    "alone, and validate on other patients before any use.")
    if cross_validated and (warning := undercoverage_warning(
            len(endpoint), settings.confidence, repeats=settings.repeats)):
        said.append(warning)
    return said


def _not_harmonised(patients: Patients, settings: ModelsSettings) -> list[str]:
    """Whether centres are known and yet left as they are."""
    mixed = settings.fusion != "late" and CLINICAL in patients.blocks and len(patients.blocks) > 1
    if patients.companions.centre is None or not settings.preparation.harmonisation or not mixed:
        return []
    return [f"Centres were not harmonised: with fusion '{settings.fusion}' the clinical columns, which never are, "
            "stand among the others."]


def parameters(patients: Patients) -> int:
    """Candidate parameters: numeric columns, and one less than the categories of each other column."""
    known = set(patients.categorical)
    categories = sum(max(patients.frame[column].nunique() - 1, 1) for column in patients.categorical)
    return max(1, sum(column not in known for column in patients.frame.columns) + categories)


def findings(published: Mapping[str, pd.DataFrame], endpoint: Endpoint, confidence: float) -> list[str]:
    """What came out: whether the model is better than chance, and what each block adds to the reference."""
    performance = published["performance"]
    main = performance[(performance["metric"] == endpoint.metric) & performance["default"]].drop_duplicates("blocks")
    said = [_against_chance(line, endpoint, confidence) for line in main.itertuples() if " + " in str(line.blocks)
            or len(main) == 1][-1:]
    if said and "folds" in published:
        said += _in_each_centre(published["folds"], main.iloc[-1], endpoint)
    if "ablation" in published:
        said += _added_values(published["ablation"], endpoint, confidence)
    if "permutation" in published:
        line = published["permutation"].iloc[0]
        said.append(f"With the outcome permuted {int(line['permutations'])} times the whole procedure reached "
                    f"{line['null_mean']:.3f} on average (SD {line['null_sd']:.3f}); with the outcome as it is, "
                    f"and folds made in the same way, {line['observed']:.3f}: p = {line['p']:.3f}.")
    if "plus_632" in published:
        said += list(filter(None, [str(published["plus_632"]["notes"].iloc[0])]))
    return said


def _in_each_centre(folds: pd.DataFrame, main: pd.Series, endpoint: Endpoint) -> list[str]:
    """The measure within each centre that was held out."""
    rows = folds[(folds["metric"] == endpoint.metric) & (folds["blocks"] == main["blocks"])
                 & (folds["learner"] == main["learner"]) & (folds["centre"].fillna("") != "")]
    others = rows["n_test"] if endpoint.kind == "continuous" else rows["n_test"] - rows["events_test"]
    known = rows[rows["value"].notna() & (rows["events_test"] >= _FEWEST) & (others >= _FEWEST)].sort_values("value")
    if not len(known):
        return []
    listed = ", ".join(f"{line.value:.3f} in {line.centre}" for line in known.itertuples())
    few = f" ({len(rows) - len(known)} more had too few patients)" if len(known) < len(rows) else ""
    return [f"Within the centres the {METRIC_WORDS[endpoint.metric]} was {listed}{few}. The estimate is the mean over "
            "centres, weighted by their patients: pairs of patients of two centres are not compared."]


def _against_chance(line: object, endpoint: Endpoint, confidence: float) -> str:
    lower, upper = float(line.lower), float(line.upper)  # type: ignore[attr-defined]
    name = METRIC_WORDS[endpoint.metric]
    limits = f"({confidence:.0%} CI {lower:.3f} to {upper:.3f})"
    if not np.isfinite(lower):
        return f"There are too few held-out patients for an interval of the {name}."
    if lower > endpoint.chance:
        return f"The model predicts better than chance: {name} {line.estimate:.3f} {limits}."  # type: ignore[attr-defined]
    if upper < endpoint.chance:
        return f"The model predicts worse than chance: {name} {line.estimate:.3f} {limits}."  # type: ignore[attr-defined]
    return (f"The model cannot be told from chance: {name} {line.estimate:.3f} {limits}, "  # type: ignore[attr-defined]
            f"which includes {endpoint.chance:g}.")


def _added_values(ablation: pd.DataFrame, endpoint: Endpoint, confidence: float) -> list[str]:
    """One sentence for each block beside the reference, and one for all together."""
    reference = str(ablation["reference"].iloc[0])
    said = []
    for position, line in enumerate(ablation.itertuples()):
        parts = str(line.blocks).split(" + ")
        added = [part for part in parts if part != reference]
        last = position == len(ablation) - 1
        if reference not in parts or not added or not (len(added) == 1 or last) or not np.isfinite(
                line.difference_lower):
            continue
        names = " + ".join(added)
        if line.difference == line.difference_lower == line.difference_upper == 0:
            said.append(f"Adding {names} to {reference} changed nothing: its scores were given no weight in training.")
            continue
        if line.p_holm < 1 - confidence:
            verdict = (f"{names} improved the prediction" if line.difference > 0
                       else f"{names} made the prediction worse")
        else:
            verdict = f"no evidence that {names} adds to {reference}"
        said.append(f"Adding {names} to {reference} changed the {METRIC_WORDS[endpoint.metric]} by "
                    f"{line.difference:+.3f} ({confidence:.0%} CI {line.difference_lower:+.3f} to "
                    f"{line.difference_upper:+.3f}; p = {line.p:.3f}, {line.p_holm:.3f} after Holm): {verdict}.")
    return said
