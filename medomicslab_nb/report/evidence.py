"""The evidence of a run as one plain dict: what was done, with what, on whom, and what came out.

HTML, notebooks and tests all read this dict; nothing in it identifies a patient. Tables that hold patients row by row
(``predictions``, ``cohort``) never enter it: only the tables named in :data:`SHOWN` do.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from medomicslab_nb.protect import scrub, scrub_all
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report import federated_tables, federated_words, model_words, radiomics_words, words
from medomicslab_nb.report.rows import headline_rows, measures
from medomicslab_nb.report.settings_rows import settings_rows
from medomicslab_nb.report.wording import duration, interval, metric_name, moment, number
from medomicslab_nb.stages import STAGES
from medomicslab_nb.study import Study

FORMAT, FORMAT_VERSION = "medomicslab_nb/evidence", 1
_MOST_ROWS = 400

SHOWN: dict[str, tuple[str, bool]] = {
    "table_one": ("Table 1", True),
    "outcomes": ("Endpoints", True),
    "quality": ("Quality of the data", True),
    "ablation": ("Ablation", False),
    "risk_groups": ("Risk groups", True),
    "permutation": ("Permutation test", True),
    "plus_632": (".632+ estimate", True),
    "lint": ("Leakage lint", False),
    "performance": ("All performance estimates", False),
    "folds": ("Every fold", False),
    "operating_points": ("Operating points", False),
    "subgroups": ("Centres and subgroups", False),
    "decision": ("Net benefit", False),
    "cumulative_incidence": ("Cumulative incidence", False),
    "importance": ("Importance of every feature", False),
    "importance_blocks": ("Importance of every block", False),
    "selection": ("How often each feature was used", False),
    "partial_dependence": ("Partial dependence", False),
    "nomogram_points": ("Points of the nomogram", False),
    "nomogram_risk": ("Prediction by total points of the nomogram", False),
    "attributes": ("What the notes say, by attribute", True),
    "sites": ("Sites", True),
    "compared": ("Federated, alone and together", True),
    "left": ("What left each site, in words", True),
    "coefficients": ("Coefficients of the federated model", False),
    "federated_performance": ("Every model at every site", False),
    "federated_importance": ("Importance over all sites", False),
    "curve": ("Kaplan-Meier curve", False),
    "columns": ("Columns over all sites", False),
    "availability": ("Of how many patients each site knows a column", False),
    "rounds": ("Every round", False),
    "released": ("Every answer of every site", False),
    "failures": ("ROIs that were not measured", True),
    "lesions": ("Every ROI", False),
    "pet": ("PET", False),
    "dose": ("Dose", False),
    "definitions": ("Features and their IBSI codes", False),
    "dictionary": ("Data dictionary", False),
    "flow": ("Cohort flow", False),
    "linkage": ("Linkage", False),
}
"""Published tables that a report shows in full, with their title and whether they are unfolded."""

_DRAWN_ONLY = ("shap", "shap_survival", "roc", "kaplan_meier", "calibration", "engine", "preprocessing")
_OF_PATIENTS = ("failures", "lesions", "pet", "dose")
"""Tables with one row a patient or lesion: shown without whose they are and when it was."""


def evidence(record: RunRecord) -> dict[str, Any]:
    """Everything that a report says about a run, as JSON types.

    Parameters
    ----------
    record : RunRecord
        A run in any status.

    Returns
    -------
    dict
        ``summary`` (one sentence), ``findings`` (sentences), ``done`` (sentences), ``on_whom``, ``headline`` (numbers
        with intervals), ``measures`` (of the reported model), ``warnings`` (cautions), ``unknown`` (what nobody can
        tell from the run), ``settings`` (all of them, marked where they differ from the default), ``inputs``,
        ``environment``, ``tables`` and the run's own fields.
    """
    ids = identifiers_of(record)
    tables = shown_tables(record, ids)
    findings = words.findings(record.stage, record.warnings, tables)
    metrics = {**record.metrics, "unit": time_unit(record)}
    content = {
        "format": FORMAT, "format_version": FORMAT_VERSION, "run": record.id, "stage": record.stage,
        "title": STAGES[record.stage].title if record.stage in STAGES else record.stage, "status": record.status,
        "started": moment(record.started), "finished": moment(record.finished or ""),
        "duration": duration(record.started, record.finished or ""), "digest": record.digest,
        "error": record.error or "", "stale": list(record.stale),
        "findings": findings,
        "warnings": [text for text in record.warnings if text not in findings],
        "summary": words.summary(record.stage, record.status, record.settings, tables, metrics),
        "done": words.done(record.stage, record.settings, tables, record.metrics, record.warnings),
        "on_whom": on_whom(record.settings, tables),
        "unknown": words.unknown(record.stage, record.status, record.settings, tables, record.metrics),
        "headline": headline(tables), "measures": all_measures(tables), "level": level(record.settings),
        "metrics": record.metrics,
        "settings": settings_rows(record.stage, record.settings),
        "inputs": [{key: str(source.get(key, "")) for key in ("name", "ref", "sha256")} for source in record.inputs],
        "environment": record.environment,
        "tables": [table_entry(name, tables[name]) for name in SHOWN if name in tables],
    }
    return scrub_all(content, ids)  # type: ignore[no-any-return]


def study_evidence(study: Study) -> dict[str, Any]:
    """The study's tables and the evidence of all its runs, newest first, as JSON types."""
    ids = study.identifiers()
    infos = [{"name": info.name, "block": info.block, "level": info.level, "rows": info.n_rows,
              "columns": info.n_columns, "source": info.source, "sha256": info.sha256}
             for info in study.tables.values()]
    runs = [evidence(record) for record in reversed(study.runs)]
    return scrub_all({"format": FORMAT, "format_version": FORMAT_VERSION, "study": study.name,  # type: ignore[no-any-return]
                     "summary": words.study_summary(study.name, infos, runs), "tables": infos, "runs": runs}, ids)


def identifiers_of(record: RunRecord) -> frozenset[str]:
    """The patient identifiers of the study that the run belongs to."""
    return Study(record.path.parent.parent).identifiers()


def part_records(record: RunRecord) -> list[RunRecord]:
    """The runs that a pipeline's run is made of; none for other stages."""
    if record.stage != "pipeline":
        return []
    study = Study(record.path.parent.parent)
    return [study.run(str(part["run"])) for part in record.metrics.values() if "run" in part]


def time_unit(record: RunRecord) -> str:
    """Unit of the outcome's follow-up times: as the run notes it, else by the data dictionary; empty when unknown."""
    if record.metrics.get("unit"):
        return str(record.metrics["unit"])
    settings = record.settings
    wanted = {settings.get("outcome"), settings.get("time")} - {None, ""}
    for info in Study(record.path.parent.parent).tables.values():
        for name, column in info.columns.items():
            if column.role == "time" and column.unit and {name, column.endpoint} & wanted:
                return column.unit
    return ""


def shown_tables(record: RunRecord, ids: frozenset[str]) -> dict[str, pd.DataFrame]:
    """The published tables that a report reads, with any identifier in their text replaced."""
    frames = {name: record.table(name) for name in record.tables if name in (*SHOWN, *_DRAWN_ONLY)}
    if record.stage == "federated":
        frames = federated_tables.of_report(frames)
    if "centre" in frames.get("folds", ()):
        frames["folds"] = _without_small_centres(frames["folds"], frames.get("subgroups"))
    id_column = Study(record.path.parent.parent).id_column
    return {name: _scrubbed_frame(_without_patients(frame, id_column) if name in _OF_PATIENTS else frame, ids)
            for name, frame in frames.items()}


def _without_small_centres(folds: pd.DataFrame, subgroups: pd.DataFrame | None) -> pd.DataFrame:
    """The folds without those of a centre that the table of subgroups hides."""
    shown = set()
    if subgroups is not None and len(subgroups):
        own = subgroups[(subgroups["subgroup"] == "centre") & ~subgroups["note"].str.startswith("hidden")]
        shown = set(own["group"])
    return folds[(folds["centre"] == "") | folds["centre"].isin(shown)]


def _without_patients(frame: pd.DataFrame, id_column: str) -> pd.DataFrame:
    """The table without identifiers and dates."""
    dates = [column for column in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[column])]
    return frame.drop(columns=[*dates, id_column], errors="ignore")


def gallery(record: RunRecord) -> list[dict[str, str]]:
    """Pictures of contours that the run kept: caption and PNG as a data address; no patient is named."""
    if "pictures" not in record.tables or "lesions" not in record.tables:
        return []
    ids = identifiers_of(record)
    shown, lesions = record.table("pictures"), record.table("lesions")
    captions = radiomics_words.captions(shown.drop(columns="picture"), lesions)
    return [{"caption": scrub(caption, ids), "source": f"data:image/png;base64,{base64.b64encode(png).decode()}"}
            for caption, png in zip(captions, shown["picture"], strict=True)]


def _scrubbed_frame(frame: pd.DataFrame, ids: frozenset[str]) -> pd.DataFrame:
    text = [place for place, dtype in enumerate(frame.dtypes)
            if not (pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_bool_dtype(dtype))]
    names = pd.Series([scrub(str(name), ids) for name in frame.columns])
    # Two names may become the same: they stay apart by number.
    repeats = names.groupby(names).cumcount()
    clean = frame.set_axis([name if not n else f"{name} {n + 1}" for name, n in zip(names, repeats, strict=True)],
                           axis=1)
    for place in text:
        cells = clean.iloc[:, place]
        replaced = {cell: scrub(cell, ids) for cell in cells.unique() if isinstance(cell, str)}
        clean.isetitem(place, cells.map(lambda cell, replaced=replaced: replaced.get(cell, cell)))
    return clean


def on_whom(settings: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> list[dict[str, str]]:
    """Patients and events, once per endpoint or site or, for models, once per set of blocks."""
    if "performance" in tables and len(tables["performance"]):
        first, kind = tables["performance"].drop_duplicates("blocks"), model_words.kind_of(tables)
        return [{"who": str(line.blocks), "patients": number(line.n), "events": model_words.counted(line.events, kind)}
                for line in first.itertuples()]
    if "sites" in tables:
        return federated_words.on_whom(settings, tables["sites"])
    if "outcomes" in tables:
        return [{"who": str(line.endpoint), "patients": number(line.n), "events": number(line.events)}
                for line in tables["outcomes"].itertuples()]
    return []


def headline(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The numbers to look at first, each with its interval and the method behind it."""
    if "performance" not in tables:
        return []
    kind = model_words.kind_of(tables)
    return [{"blocks": str(line.blocks), "learner": str(line.learner), "default": bool(line.default),
             "metric": metric_name(str(line.metric)), "aggregation": str(line.aggregation),
             "estimate": number(line.estimate), "lower": number(line.lower), "upper": number(line.upper),
             "n": number(line.n), "events": model_words.counted(line.events, kind), "interval": str(line.interval)}
            for line in headline_rows(tables["performance"]).itertuples()]


def all_measures(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, str]]:
    """Every measure of the reported model of all blocks together, with its interval."""
    if "performance" not in tables:
        return []
    return [{"metric": metric_name(str(line.metric)), "aggregation": str(line.aggregation),
             "estimate": number(line.estimate), "limits": interval(line.lower, line.upper), "n": number(line.n),
             "interval": str(line.interval)} for line in measures(tables["performance"]).itertuples()]


def level(settings: Mapping[str, Any]) -> str:
    """The level of the intervals, such as ``95 %``; empty when the stage has none."""
    confidence = settings.get("confidence")
    return f"{100 * confidence:g} %" if isinstance(confidence, float) else ""


def table_entry(name: str, frame: pd.DataFrame) -> dict[str, Any]:
    """A table ready to print: its title, its columns and at most 400 rows of text."""
    title, unfolded = SHOWN.get(name, (name, False))
    return {"name": name, "title": title, "unfolded": unfolded, "n_rows": len(frame),
            "columns": [str(column) for column in frame.columns],
            "numeric": [bool(pd.api.types.is_numeric_dtype(dtype)) for dtype in frame.dtypes],
            "rows": rows_of(frame.head(_MOST_ROWS))}


def rows_of(frame: pd.DataFrame) -> list[list[str]]:
    """The cells as text, metrics by their printed names."""
    named = [name == "metric" for name in frame.columns]
    return [[metric_name(str(cell)) if metric else _cell(cell) for cell, metric in zip(row, named, strict=True)]
            for row in frame.itertuples(index=False, name=None)]


def _cell(cell: Any) -> str:
    if isinstance(cell, Sequence) and not isinstance(cell, str):
        return ", ".join(map(str, cell))
    return number(cell)
