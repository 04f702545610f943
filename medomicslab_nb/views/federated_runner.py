"""The view of the federated stage: the sites and what would leave them before the run, what came out after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import evidence, identifiers_of, rows_of, shown_tables
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import load
from medomicslab_nb.tables import TableInfo
from medomicslab_nb.views.data_loader import figures, outcomes
from medomicslab_nb.views.endpoints import endpoint_table
from medomicslab_nb.views.labels import translated
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.outline_text import summary_fault
from medomicslab_nb.views.record_view import Bundle, sentences
from medomicslab_nb.views.round_progress import RoundProgress
from medomicslab_nb.views.summarised_view import SummarisedView

if TYPE_CHECKING:
    from medomicslab_nb.federated.outline import Outline, SiteOutline

_FIGURES = ("federated_performance", "travel", "curve", "coefficients", "federated_importance", "rounds",
            "availability", "left")
_COMPARED = ("model", "site", "measure", "estimate", "lower", "upper", "patients", "events")


class FederatedRunner(SummarisedView):
    """Who the sites are and what would leave them, each site while a run is under way, and how far each model goes."""

    def before(self) -> str:
        """The endpoints that the study offers, as HTML."""
        return heading(text("endpoints")) + endpoint_table(self.study)

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Endpoints, and columns that may tell hospitals apart: those of role centre first."""
        tables = self.study.tables
        return {"outcome": outcomes(tables), "site_column": site_columns(tables), "predictors.keys": tuple(tables)}

    def run_progress(self) -> Any:
        """The sites of a run under way."""
        return RoundProgress()

    def summary(self, settings: Settings) -> str:
        """The sites, what would leave them and what would be fitted, as HTML; why it cannot be run, where it cannot."""
        try:
            found = load("medomicslab_nb.federated.outline:outline")(self.study, settings)
        except MedomicsError as error:
            return summary_fault(error, self.study)
        return scrub(outline_html(found), self.study.identifiers())

    def static(self) -> Bundle:
        """Settings and study as plain HTML and text, with the sites where the settings name them."""
        shown = super().static()
        try:
            settings = self.settings
        except MedomicsError:
            return shown
        return {**shown, "text/html": shown["text/html"] + self.summary(settings)}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, findings, models side by side, figures, what left each site, and what is not known."""
        found = evidence(record)
        return [*super().result(record), *sentences(text("findings"), found["findings"]), *_compared(record),
                *figures(record, _FIGURES), *_left(record), *sentences(text("federated_unknown"), found["unknown"])]


def site_columns(tables: dict[str, TableInfo]) -> tuple[str, ...]:
    """Columns with one row a patient that may name the hospital: of role centre first, then categories."""
    columns = [(name, column) for info in tables.values() if info.level == "patient"
               for name, column in info.columns.items()]
    centres = [name for name, column in columns if column.role == "centre"]
    categories = [name for name, column in columns if column.type == "category" and column.role == "predictor"]
    return tuple(dict.fromkeys([*centres, *categories]))


def outline_html(found: Outline) -> str:
    """Sites with their patients, how many models would be fitted, and what would leave each site."""
    if len(found.sites) < 2:
        return _said(f"{heading(text('builder_summary'))}{escape(text('federated_nowhere'))}")
    columns = [text("federated_site"), text("patients"), text("events"), text("federated_judging"), ""]
    sites = table(columns, [_site_row(site) for site in found.sites])
    fits = text("federated_fits", fits=found.fits, sites=len(found.sites))
    leaves = "".join(f"<li>{escape(translated('step.', one) or one)}</li>" for one in found.leaves)
    notes = "".join(f'<p style="margin:2px 0">{escape(note)}</p>' for note in found.notes)
    return _said(f'{heading(text("builder_summary"))}{sites}<p style="margin:2px 0">{escape(fits)}</p>{notes}'
                 f"<details><summary>{escape(text('federated_leaves'))}</summary><ul>{leaves}</ul></details>")


def _site_row(site: SiteOutline) -> list[str]:
    counts = ["" if count is None else str(count) for count in (site.patients, site.events, site.testing)]
    return [site.name, *counts, text("federated_refuses", reason=site.fault) if site.fault else ""]


def _said(markup: str) -> str:
    return f'<div class="medomicslab-outline" role="status">{markup}</div>'


def _compared(record: RunRecord) -> list[Bundle]:
    found = shown_tables(record, identifiers_of(record)).get("compared")
    if found is None:
        return []
    shown = found[[name for name in _COMPARED if name in found]]  # an outcome that is a number has no events
    columns = [text(f"federated_{name}") for name in shown]
    strong = (shown["model"] == "federated").tolist()
    return [{"text/html": heading(text("federated_compared")) + table(columns, rows_of(shown), strong=strong),
             "text/plain": shown.to_string(index=False)}]


def _left(record: RunRecord) -> list[Bundle]:
    found = shown_tables(record, identifiers_of(record)).get("left")
    if found is None:
        return []
    columns = [text(f"federated_{name}") for name in found.columns]
    return [{"text/html": heading(text("federated_left")) + table(columns, rows_of(found)),
             "text/plain": found.to_string(index=False)}]
