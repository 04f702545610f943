"""The endpoints that a study offers, with their kind, patients and events, for every view that shows them."""

from __future__ import annotations

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.study import Study
from medomicslab_nb.views.data_loader import outcomes
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, table


def endpoint_table(study: Study) -> str:
    """Every endpoint that the dictionaries name, as HTML; or that there is none."""
    rows = endpoint_rows(study)
    if not rows:
        return escape(text("no_endpoint"))
    return table([text("endpoint"), text("kind"), text("patients"), text("events")], rows)


def endpoint_rows(study: Study) -> list[list[str]]:
    """Name, kind (or why it is not clear), patients and events of every endpoint that the dictionaries name."""
    return [[name, *_described(study, name)] for name in outcomes(study.tables)]


def _described(study: Study, name: str) -> tuple[str, str, str]:
    try:
        found = find_endpoint(study, name)
    except MedomicsError as error:
        return text("not_clear", reason=error.found), "", ""
    events = str(found.events) if found.kind in ("binary", "survival") else ""
    return kind_text(found), str(len(found)), events


def kind_text(endpoint: Endpoint) -> str:
    """The kind of an endpoint in words, competing events included."""
    return text("survival_competing") if endpoint.cause is not None else text(endpoint.kind)
