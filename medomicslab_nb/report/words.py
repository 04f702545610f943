"""What a run did, in sentences: written from its settings and published tables, per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.report import radiomics_words
from medomicslab_nb.report.rows import headline_rows
from medomicslab_nb.report.wording import count, interval, listed, metric_name, number

Tables = Mapping[str, pd.DataFrame]
_ENDED = {"failed": "The run failed; what it left is shown here.",
          "cancelled": "The run was cancelled; what it left is shown here.",
          "running": "The run is still going on; what there is so far is shown here."}


def summary(stage: str, status: str, settings: Mapping[str, Any], tables: Tables) -> str:
    """The one sentence to read if only one is read."""
    if status in _ENDED:
        return _ENDED[status]
    if stage == "models" and "performance" in tables and len(tables["performance"]):
        return _models_summary(settings, tables["performance"])
    if stage == "pipeline":
        names = [name for name, part in settings.items() if part is not None]
        return f"Ran {listed(names)}, each with its own settings; what they found is below."
    if stage == "data" and "dictionary" in tables:
        return _data_summary(tables)
    if stage == "radiomics" and {"lesions", "engine"} <= set(tables):
        return radiomics_words.summary(tables)
    return "The run completed."


def _models_summary(settings: Mapping[str, Any], performance: pd.DataFrame) -> str:
    rows = headline_rows(performance)
    chosen = rows[rows["default"].astype(bool)]
    main = (chosen if len(chosen) else rows).iloc[-1]
    others = [f"{number(row.estimate)} with {row.blocks}" for row in chosen.itertuples()
              if row.blocks != main["blocks"]]
    learner = "the named default" if str(main["learner"]).startswith("default") else str(main["learner"])
    level = f"{100 * settings['confidence']:g} % " if settings.get("confidence") else ""
    beside = f" (beside {listed(others)})" if others else ""
    return (f"Predicting {settings.get('outcome', 'the outcome')} in {count(int(main['n']), 'patient')} "
            f"({count(int(main['events']), 'event')}), {learner} "
            f"reached {_a(metric_name(str(main['metric'])))} of {number(main['estimate'])} "
            f"({level}interval {interval(main['lower'], main['upper'])}) with {main['blocks']}{beside}, "
            "in patients that the model had not seen.")


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aAeEiIoO' else 'a'} {name}"


def _data_summary(tables: Tables) -> str:
    names = list(dict.fromkeys(tables["dictionary"]["table"]))
    parts = [f"{count(len(names), 'table')} ({listed(names)})"]
    if "linkage" in tables:
        parts.append(count(int(tables["linkage"]["patients"].sum()), "patient"))
    if "flow" in tables and len(tables["flow"]):
        parts.append(f"{int(tables['flow'].sort_values('step')['patients'].iloc[-1])} in the cohort")
    severities = tables["quality"]["severity"].value_counts() if "quality" in tables else {}
    faults = [count(int(severities[kind]), kind) for kind in ("error", "warning", "note") if severities.get(kind)]
    return f"{', '.join(parts)}; {listed(faults) if faults else 'nothing to remark'} on the quality of the data."


def done(stage: str, settings: Mapping[str, Any], tables: Tables) -> list[str]:
    """What was done, a sentence each."""
    if stage == "models":
        return _models_done(settings, tables)
    if stage == "data":
        return _data_done(settings)
    if stage == "radiomics":
        return radiomics_words.done(settings, tables)
    return []


def _data_done(settings: Mapping[str, Any]) -> list[str]:
    which = listed(settings.get("tables") or ()) or "all tables of the study"
    steps = [str(step.get("label", "")) for step in settings.get("cohort") or ()]
    cohort = f"The cohort was defined in {count(len(steps), 'step')}: {'; '.join(steps)}." if steps else \
        "No patient was excluded: no cohort step was set."
    return [f"Looked at {which}: types, missing values, duplicates, ranges, impossible zeros and outcome balance.",
            "Patients were linked across tables by their identifiers, which stay text.", cohort]


def _models_done(settings: Mapping[str, Any], tables: Tables) -> list[str]:
    get = settings.get
    outcome = f"Outcome: {get('outcome', '')}. Blocks of predictors compared: {_blocks(tables)}."
    validation = (f"Nested cross-validation: {get('folds', '?')} folds x {count(int(get('repeats', 1)), 'repeat')}, "
                  f"grouped by patient; the default was tuned by {get('inner_folds', '?')} inner folds of each "
                  f"training set (seed {get('seed', '?')}).")
    inside = ("Everything learned from data (imputation, scaling, selection, tuning) was learned inside the training "
              "folds only.")
    sentences = [outcome, validation, inside]
    if get("compare"):
        sentences.append("Plain learners ran under the same folds for comparison; they are not chosen afterwards.")
    if "shap" in tables:
        sentences.append("Predictions are explained by SHAP values.")
    return sentences


def _blocks(tables: Tables) -> str:
    frame = tables.get("performance")
    return "; ".join(dict.fromkeys(frame["blocks"])) if frame is not None and len(frame) else "as set"


def study_summary(name: str, infos: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> str:
    """One sentence about a study."""
    completed = sum(run["status"] == "completed" for run in runs)
    return f"Study {name}: {count(len(infos), 'table')}, {count(len(runs), 'run')}, {completed} of them completed."
