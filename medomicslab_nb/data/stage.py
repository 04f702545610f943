"""The data stage: what the tables hold, what is wrong with them, who the patients are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from medomicslab_nb.data.cohort import select_cohort
from medomicslab_nb.data.corrections import CorrectedStudy
from medomicslab_nb.data.dictionary import DICTIONARY_COLUMNS, summarize
from medomicslab_nb.data.importing import MANY_COLUMNS
from medomicslab_nb.data.linkage import linkage
from medomicslab_nb.data.outcomes import Outcome, list_outcomes, outcome_table
from medomicslab_nb.data.quality import (
    Finding,
    check_dates,
    check_links,
    check_outcomes,
    check_size,
    check_table,
    quality_table,
)
from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.data.table_one import table_one
from medomicslab_nb.progress import Progress
from medomicslab_nb.stages import StageResult

_MOST_WARNINGS = 20


def run(study: Any, settings: DataSettings, progress: Progress) -> StageResult:
    """Describe and check the tables of a study.

    Returns
    -------
    StageResult
        Tables ``dictionary``, ``quality``, ``linkage``, ``table_one``, ``table_one_numbers``, ``flow``,
        ``outcomes`` and ``cohort`` (the only one with identifiers); Table 1 is of the cohort.
    """
    seen = CorrectedStudy(study, settings)
    with progress.task("checking tables", total=len(seen.tables) + 3) as step:
        findings, outcomes = check_study(seen, settings.outcome, step)
        cohort, flow = select_cohort(seen, settings.cohort)
        text, numbers = _table_one(seen, cohort, outcomes)
        step()
    tables = {
        "dictionary": _dictionary(seen),
        "quality": quality_table(findings),
        "linkage": linkage_of(seen),
        "table_one": text,
        "table_one_numbers": numbers,
        "flow": flow,
        "outcomes": outcome_table(outcomes),
        "cohort": pd.DataFrame({seen.id_column: cohort}),
    }
    return StageResult(tables, _metrics(seen, cohort, findings), warnings=_warnings(findings, cohort))


def check_study(study: CorrectedStudy, outcome: str = "",
                step: Callable[[], None] = lambda: None) -> tuple[list[Finding], list[Outcome]]:
    """Every finding of a study's tables, and its outcomes; ``step`` is called once a table and twice at the end."""
    findings: list[Finding] = []
    for table in study.tables:
        findings += check_table(study, table)
        step()
    outcomes = list_outcomes(study, outcome)
    findings += check_outcomes(study, outcomes)
    step()
    findings += [*check_links(study), *check_size(study), *check_dates(study)]
    step()
    return findings, outcomes


def linkage_of(study: CorrectedStudy) -> pd.DataFrame:
    """Who is in which of the study's tables."""
    return linkage({name: study.table(name).index for name in study.tables
                    if study.table(name).index.name == study.id_column})


def _dictionary(study: CorrectedStudy) -> pd.DataFrame:
    parts = [summarize(info, study.table(name)) for name, info in study.tables.items()]
    rows = [row for part in parts for row in part.to_dict("records")]
    kinds = {"n": "Int64", "missing": "Int64", "unique": "Int64", "minimum": "float64", "median": "float64",
             "maximum": "float64"}
    return pd.DataFrame(rows, columns=list(DICTIONARY_COLUMNS)).astype(kinds)


def _table_one(study: CorrectedStudy, cohort: pd.Index,
               outcomes: list[Outcome]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Table 1 of the cohort over all tables of few columns and one row a patient."""
    parts: list[pd.DataFrame] = []
    categories: set[str] = set()
    for name, info in study.tables.items():
        frame = study.table(name)
        columns = [column for column in study.names_of(name, "predictor", "centre")
                   if not outcomes or (name, column) != (outcomes[0].table, outcomes[0].column)]
        if len(columns) > MANY_COLUMNS or frame.index.name != study.id_column or frame.index.has_duplicates:
            continue
        taken = {column for part in parts for column in part.columns}
        shown = {column: f"{column} ({name})" if column in taken else column for column in columns}
        categories |= {shown[column] for column in columns if info.column(column).type in ("category", "boolean")}
        parts.append(frame[columns].reindex(cohort).rename(columns=shown))
    variables = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=cohort)
    groups, outcome = (outcomes[0].groups, outcomes[0].name) if outcomes else (None, "")
    return table_one(variables, groups, outcome=outcome, categories=frozenset(categories))


def _metrics(study: CorrectedStudy, cohort: pd.Index, findings: list[Finding]) -> dict[str, int]:
    counts = {severity: sum(finding.severity == severity for finding in findings)
              for severity in ("error", "warning", "note")}
    return {"patients": len(study.patients), "cohort": len(cohort), "tables": len(study.tables),
            "errors": counts["error"], "warnings": counts["warning"], "notes": counts["note"]}


def _warnings(findings: list[Finding], cohort: pd.Index) -> tuple[str, ...]:
    ordered = [finding for severity in ("error", "warning") for finding in findings if finding.severity == severity]
    sentences = [finding.sentence for finding in ordered[:_MOST_WARNINGS]]
    if len(ordered) > _MOST_WARNINGS:
        sentences.append(f"{len(ordered) - _MOST_WARNINGS} more findings are in the table 'quality'.")
    if cohort.empty:
        sentences.insert(0, "No patient passes the inclusion criteria.")
    return tuple(sentences)
