"""What a run did, in sentences: written from its settings and published tables, per stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.report import federated_words, model_words, radiomics_words, text_words
from medomicslab_nb.report.wording import count, listed

Tables = Mapping[str, pd.DataFrame]
_ENDED = {"failed": "The run failed; what it left is shown here.",
          "cancelled": "The run was cancelled; what it left is shown here.",
          "running": "The run is still going on; what there is so far is shown here."}


def summary(stage: str, status: str, settings: Mapping[str, Any], tables: Tables, metrics: Mapping[str, Any]) -> str:
    """The one sentence to read if only one is read."""
    if status in _ENDED:
        return _ENDED[status]
    if stage == "models" and "performance" in tables and len(tables["performance"]):
        return model_words.summary(settings, tables)
    if stage == "pipeline":
        names = [name for name, part in settings.items() if part is not None]
        return f"Ran {listed(names)}, each with its own settings; what they found is below."
    if stage == "data" and "dictionary" in tables:
        return _data_summary(tables)
    if stage == "radiomics" and {"lesions", "engine"} <= set(tables):
        return radiomics_words.summary(tables)
    if stage == "text" and "attributes" in tables:
        return text_words.summary(tables["attributes"], metrics)
    if stage == "federated" and "sites" in tables:
        return federated_words.summary(settings, tables, metrics)
    return "The run completed."


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


def done(stage: str, settings: Mapping[str, Any], tables: Tables, metrics: Mapping[str, Any],
         warnings: Sequence[str] = ()) -> list[str]:
    """What was done, a sentence each."""
    if stage == "models":
        return model_words.done(settings, tables, metrics)
    if stage == "data":
        return _data_done(settings)
    if stage == "radiomics":
        return radiomics_words.done(settings, tables)
    if stage == "text":
        return text_words.done(settings, metrics)
    if stage == "federated":
        return federated_words.done(settings, tables, metrics, warnings)
    return []


def findings(stage: str, warnings: Sequence[str], tables: Tables) -> list[str]:
    """What came out, a sentence each; of a models run these stand among its warnings."""
    if stage == "federated":
        return federated_words.findings(tables)
    return [*model_words.findings(warnings), *model_words.repeated(tables)] if stage == "models" else []


def unknown(stage: str, status: str, settings: Mapping[str, Any], tables: Tables,
            metrics: Mapping[str, Any]) -> list[str]:
    """What nobody can tell from the run, a sentence each; for stages that say so."""
    if stage == "federated" and status == "completed":
        return federated_words.unknown(settings, tables, metrics)
    return []


def _data_done(settings: Mapping[str, Any]) -> list[str]:
    which = listed(settings.get("tables") or ()) or "all tables of the study"
    steps = [str(step.get("label", "")) for step in settings.get("cohort") or ()]
    cohort = f"The cohort was defined in {count(len(steps), 'step')}: {'; '.join(steps)}." if steps else \
        "No patient was excluded: no cohort step was set."
    return [f"Looked at {which}: types, missing values, duplicates, ranges, impossible zeros and outcome balance.",
            "Patients were linked across tables by their identifiers, which stay text.", cohort]


def study_summary(name: str, infos: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]]) -> str:
    """One sentence about a study."""
    completed = sum(run["status"] == "completed" for run in runs)
    return f"Study {name}: {count(len(infos), 'table')}, {count(len(runs), 'run')}, {completed} of them completed."
