"""What the run browser shows of one run and of two, as texts that are ready to be drawn; no patient identifiers."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from medomicslab_nb.files import read_document
from medomicslab_nb.models.compare_runs import STAGE, compare_pairs
from medomicslab_nb.protect import scrub_all
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import evidence, identifiers_of
from medomicslab_nb.report.settings_difference import ABSENT, flattened, settings_difference
from medomicslab_nb.report.wording import duration, interval, metric_name, moment, number, value_text
from medomicslab_nb.runner import Comparison, compare
from medomicslab_nb.study import Study
from medomicslab_nb.views.language import text
from medomicslab_nb.views.record_view import headline_table

Json = dict[str, Any]
_MOST_METRICS = 40


def run_row(record: RunRecord, known: Json | None = None) -> Json:
    """A run in one line.

    Parameters
    ----------
    known : mapping, optional
        The line of before: of a run that has ended only its mark of being stale could change.
    """
    if known is not None and known["status"] != "running":
        return known
    status = record.status
    stale = ", ".join(record.stale) if status == "completed" else ""
    return {"id": record.id, "stage": record.stage, "started": moment(record.started), "status": status,
            "status_text": text(f"runs_{status}"), "duration": duration(record.started, record.finished or ""),
            "stale": text("runs_stale_inputs", inputs=stale) if stale else "", "part": _part(record, status)}


def _part(record: RunRecord, status: str) -> str:
    """The present part of a run under way, as ``nested cross-validation 3/10``."""
    event = record.progress() if status == "running" else None
    return f"{event['task']} {event['done']}{'/' + str(event['total']) if event['total'] else ''}" if event else ""


def one_run(record: RunRecord) -> Json:
    """Summary, headline numbers, settings that differ from the default, warnings and what can be done with a run."""
    content = evidence(record)
    columns, rows, strong = headline_table(content["headline"], content["level"])
    original = replayed(record)
    completed = record.status == "completed"
    return {"kind": "one", "id": record.id, "title": f"{content['title']}: {text(f'runs_{record.status}')}",
            "summary": content["summary"], "error": content["error"], "columns": columns, "rows": rows,
            "strong": strong, "warnings": content["warnings"], "findings": content["findings"],
            "stale": text("runs_stale_inputs", inputs=", ".join(content["stale"])) if content["stale"] else "",
            "settings": [[row["name"], f"{row['value']} {row['unit']}".strip(), row["default"]]
                         for row in content["settings"] if row["differs"]],
            "replays": text("runs_replays", run=original.id) if original else "",
            "checks": check_rows(compare(original, record)) if original and completed else [],
            "can": {"cancel": record.status == "running", "replay": completed, "verify": completed,
                    "report": record.status != "running", "open": (record.path / "report.html").exists()}}


def replayed(record: RunRecord) -> RunRecord | None:
    """The run that this one repeats, where it is still there."""
    name = read_document(record.path / "run.json", "run").get("replays")
    runs = {one.id: one for one in Study(record.path.parent.parent).runs} if name else {}
    return runs.get(str(name))


def check_rows(found: Sequence[Comparison]) -> list[Json]:
    """Comparisons as lines, those that are not equal first."""
    return [{"what": one.what, "equal": one.equal, "found": one.found}
            for one in sorted(found, key=lambda one: one.equal)]


def two_runs(one: RunRecord, other: RunRecord) -> Json:
    """Two runs side by side, the earlier first: settings in which they differ, numbers, and the paired difference."""
    first, second = sorted((one, other), key=lambda record: record.id)
    content = {"kind": "two", "ids": [first.id, second.id],
               "settings": [[row.name, _value(row.one), _value(row.other)]
                            for row in settings_difference(first.settings, second.settings)],
               "metrics": metric_rows(first, second), "paired": paired(first, second)}
    return scrub_all(content, identifiers_of(first))  # type: ignore[no-any-return]


def _value(value: Any) -> str:
    return ABSENT if value is ABSENT else value_text(value)


def metric_rows(one: RunRecord, other: RunRecord) -> list[list[str]]:
    """Single numbers and texts that the runs note, side by side."""
    first, second = flattened(one.metrics), flattened(other.metrics)
    names = list(dict.fromkeys([*first, *second]))[:_MOST_METRICS]
    return [[name, _metric(first.get(name)), _metric(second.get(name))] for name in names]


def _metric(value: Any) -> str:
    return metric_name(value) if isinstance(value, str) else number(value) or "-"


def paired(one: RunRecord, other: RunRecord) -> list[str]:
    """The paired difference of two completed models runs in words, or why there is none; nothing for other runs."""
    if {one.stage, other.stage} != {STAGE} or {one.status, other.status} != {"completed"}:
        return []
    table = compare_pairs(SimpleNamespace(runs=[one, other]))
    if table.empty:
        return []
    line = table.iloc[0]
    if not line["compared"]:
        return [text("runs_not_paired", reason=line["reason"])]
    limits = interval(line["lower"], line["upper"])
    return [text("runs_paired", metric=metric_name(line["metric"]), difference=f"{line['difference']:+.3f}",
                 limits=limits, p=number(line["p"]), n=int(line["n_folds"])), text("runs_chosen_best")]
