"""What a run of the models stage did and found, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.report.rows import headline_rows, reported
from medomicslab_nb.report.wording import count, interval, listed, metric_name, number

Tables = Mapping[str, pd.DataFrame]

_KINDS = {"auc": "binary", "auc_ovr": "multiclass", "r2": "continuous", "c_index": "survival"}
_KIND_WORDS = {"binary": "two classes", "multiclass": "several classes", "continuous": "a number",
               "survival": "time to an event"}
_FINDINGS = ("The model predicts ", "The model cannot be told ", "There are too few held-out ",
             "Within the centres the ", "Adding ", "With the outcome permuted ")
_FUSION = {"late": "Blocks were fused late: each block has a model of its own, whose scores are weighted inside the "
                   "training folds.",
           "early": "Blocks were fused early: one model learned from the columns of all blocks at once.",
           "penalised": "Blocks were fused by one ridge with a penalty for each block."}
_IMPUTATION = {"simple": "missing numbers by the median", "iterative": "missing numbers by regression on other columns"}
_SELECTION = {"univariate": "by univariate association", "mrmr": "by mRMR", "stability": "by stability selection"}
_MOST_SETS = 4


def kind_of(tables: Tables) -> str:
    """The kind of the endpoint, by the measure of its models; empty when there are none."""
    table = tables.get("performance")
    return "" if table is None or table.empty else _KINDS.get(str(table["metric"].iloc[0]), "")


def counted(events: Any, kind: str) -> str:
    """The number of events as it is printed: of several classes the smallest one, of a number none."""
    if kind == "continuous":
        return ""
    return f"{number(events)} in the smallest class" if kind == "multiclass" else number(events)


def findings(warnings: Sequence[str]) -> list[str]:
    """Which of a run's sentences say what came out; all others are cautions."""
    return [text for text in warnings if text.startswith(_FINDINGS)]


def repeated(tables: Tables) -> list[str]:
    """The .632+ estimate in a sentence, where it was asked for."""
    if "plus_632" not in tables:
        return []
    line = tables["plus_632"].iloc[0]
    return [f"The .632+ estimate of the {metric_name(str(line['metric']))} is {number(line['estimate_632_plus'])} "
            f"(apparent {number(line['apparent'])}, patients left out {number(line['left_out'])} with SD "
            f"{number(line['left_out_sd'])} over {count(int(line['subsamples']), 'subsample')}, n = {int(line['n'])}); "
            "it has no interval."]


def summary(settings: Mapping[str, Any], tables: Tables) -> str:
    """The one sentence to read if only one is read."""
    rows, kind = headline_rows(tables["performance"]), kind_of(tables)
    chosen = rows[rows["default"].astype(bool)]
    main = (chosen if len(chosen) else rows).iloc[-1]
    found = reported(tables)
    shown = chosen[chosen["blocks"].isin(found.drawn if found else ())]
    others = [f"{number(row.estimate)} with {row.blocks}" for row in shown.itertuples() if row.blocks != main["blocks"]]
    level = f"{100 * settings['confidence']:g} % " if settings.get("confidence") else ""
    limits = interval(main["lower"], main["upper"])
    beside = f" (beside {listed(others)})" if others else ""
    events = counted(main["events"], kind)
    events = f" ({events}{'' if kind == 'multiclass' else ' event' if events == '1' else ' events'})" if events else ""
    return (f"Predicting {settings.get('outcome', 'the outcome')} in {count(int(main['n']), 'patient')}{events}, "
            f"{_learner(str(main['learner']))} reached {_a(metric_name(str(main['metric'])))} of "
            f"{number(main['estimate'])} ({f'{level}interval {limits}' if limits else 'no interval'}) with "
            f"{main['blocks']}{beside}, {_held_out(settings)}.")


def _learner(name: str) -> str:
    return "the named default" if name.startswith("default") else name


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aAeEiIoO' or name.startswith('R²') else 'a'} {name}"


def _held_out(settings: Mapping[str, Any]) -> str:
    scheme = settings.get("validation", "cross-validation")
    schemes = {
        "leave one centre out": "in patients of centres that the model had not seen (every centre held out in turn)",
        "external": "in external patients", "sealed": "in the patients of the sealed test, opened once"}
    return schemes.get(str(scheme), f"in patients that the model had not seen ({_folds(settings)})")


def _folds(settings: Mapping[str, Any]) -> str:
    folds, repeats = settings.get("folds", "?"), int(settings.get("repeats", 1))
    return f"repeated nested cross-validation, {folds} folds x {repeats} repeats" if repeats > 1 else \
        f"nested cross-validation, {folds} folds"


def done(settings: Mapping[str, Any], tables: Tables, metrics: Mapping[str, Any]) -> list[str]:
    """What was done, a sentence each."""
    return [*_question(settings, tables), _validation(settings), *_inside(settings, tables),
            *_learners(settings, metrics), *_beside(settings, tables)]


def _question(settings: Mapping[str, Any], tables: Tables) -> list[str]:
    kind = kind_of(tables)
    found = reported(tables)
    sets = () if found is None else found.sets
    blocks = "as set" if not sets else "; ".join(sets) if len(sets) <= _MOST_SETS else \
        f"{len(sets)}, the blocks alone and together, of {listed(sets[-1].split(' + '))}"
    said = [f"Outcome: {settings.get('outcome', '')}{f' ({_KIND_WORDS[kind]})' if kind else ''}. "
            f"Sets of blocks compared: {blocks}."]
    dates = settings.get("dates")
    if dates:
        said.append(f"The endpoint was built from dates: the earliest of {listed(dates.get('events') or ())}"
                    + (f", beside competing {listed(dates['competing'])}" if dates.get("competing") else "") + ".")
    if settings.get("landmark"):
        said.append(f"Landmark analysis: only patients still at risk at {number(settings['landmark'])} are analysed.")
    return said


def _validation(settings: Mapping[str, Any]) -> str:
    inner = (f"everything was chosen by {settings.get('inner_folds', '?')} inner folds of each training set "
             f"(seed {settings.get('seed', '?')})")
    scheme = str(settings.get("validation", "cross-validation"))
    if scheme == "cross-validation":
        folds = _folds(settings)
        return f"{folds[0].upper()}{folds[1:]}, grouped by patient; {inner}."
    said = {"leave one centre out": "Every centre was held out in turn, by models of all other centres",
            "external": "The model of all patients of development was tested on the patients of other tables",
            "sealed": "The model of all patients of development was tested on the sealed patients, once"}[scheme]
    return f"{said}; {inner}."


def _inside(settings: Mapping[str, Any], tables: Tables) -> list[str]:
    preparation = settings.get("preparation") or {}
    get = preparation.get
    steps = [_IMPUTATION.get(str(get("imputation", "simple")), "")]
    if get("harmonisation", True) and settings.get("centre") != "none":
        steps.append("ComBat between centres, where they are known, for blocks other than clinical")
    if get("icc"):
        steps.append(f"features with an intraclass correlation below {number(get('icc'), 2)} left out, where perturbed "
                     "values are there")
    if get("correlation"):
        steps.append(f"columns that correlate by {number(get('correlation'), 2)} or more represented by one")
    if get("selection", "none") != "none":
        steps.append(f"{get('features')} columns of each block selected {_SELECTION[str(get('selection'))]}")
    said = [f"Everything learned from data was learned inside the training folds only: scaling, tuning, calibration, "
            f"{', '.join(steps)}."]
    found = reported(tables)
    if found is not None and " + " in found.full:
        said.append(_FUSION[str(settings.get("fusion", "late"))])
    return said


def _learners(settings: Mapping[str, Any], metrics: Mapping[str, Any]) -> list[str]:
    learner = str(settings.get("learner", "default"))
    named = "the default, a weighted average of ridge and random forest" if learner == "default" else learner
    chosen = f" Fitted on all patients it became: {metrics['chosen']}." if metrics.get("chosen") else ""
    said = [f"Named before the run: {named}.{chosen}"]
    if settings.get("compare"):
        said.append("Plain learners ran under the same folds for comparison; they are not chosen afterwards.")
    if settings.get("clinical_score"):
        said.append(f"Beside it stands a clinical score: a plain regression on {listed(settings['clinical_score'])}.")
    return said


def _beside(settings: Mapping[str, Any], tables: Tables) -> list[str]:
    said = []
    if settings.get("permutations"):
        said.append(f"The whole procedure was repeated under {count(int(settings['permutations']), 'permutation')} of "
                    "the outcome.")
    if "shap" in tables:
        said.append("The final model is explained by SHAP values and partial dependence"
                    + (", and drawn as a nomogram." if "nomogram_points" in tables else "."))
    return said
