"""What a run of the models stage would do, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.study import Study
from medomicslab_nb.views.endpoints import kind_text
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, fault, heading, table

if TYPE_CHECKING:
    from medomicslab_nb.models.outline import Outline


def outline_html(found: Outline) -> str:
    """Endpoint, blocks, learners, number of fits and whether there are enough patients."""
    lines = [endpoint_text(found), *learner_texts(found), *size_texts(found)]
    blocks = table([text("block"), text("predictors"), text("patients")],
                   [[block.name, block.predictors, block.patients] for block in found.blocks])
    return f'<div class="medomicslab-outline" role="status">{heading(text("builder_summary"))}{blocks}' + \
        "".join(f'<p style="margin:2px 0">{escape(line)}</p>' for line in lines) + "</div>"


def endpoint_text(found: Outline) -> str:
    """``dmfs: time to event, 198 patients, 51 events``."""
    endpoint = found.endpoint
    said = text("builder_endpoint", name=endpoint.name, kind=kind_text(endpoint), n=len(endpoint))
    if endpoint.kind == "continuous":
        return said
    return said + text("builder_smallest" if endpoint.kind == "multiclass" else "builder_events",
                       events=endpoint.events)


def learner_texts(found: Outline) -> list[str]:
    """Which learners are fitted, the reported one first, and about how often."""
    headline, *others = found.learners
    beside = text("builder_beside", names=", ".join(others)) if others else ""
    return [text("builder_learners", headline=headline, others=beside).strip(),
            text("builder_fits", sets=found.sets, folds=found.folds, fits=f"{found.fits:,}".replace(",", " "))]


def size_texts(found: Outline) -> list[str]:
    """Events per predictor, and what that means."""
    size = found.size
    key = {"continuous": "builder_size_patients", "multiclass": "builder_size_smallest"}.get(size.kind, "builder_size")
    ratio = size.events_per_parameter
    said = text(key, ratio=f"{ratio:.1f}" if ratio >= 1 else f"{ratio:.2g}", parameters=size.parameters)
    if size.enough:
        return [said, text("builder_enough", needed=size.needed)]
    return [said, text("builder_few", needed=size.needed, n=size.n, shrinkage=f"{100 * size.shrinkage:.0f} %")]


def summary_fault(error: MedomicsError, study: Study) -> str:
    """Why the settings cannot be run, and what to do."""
    reason = scrub(text("builder_cannot", reason=str(error)), study.identifiers())
    return f'<div class="medomicslab-outline" role="status">{fault(reason)}</div>'
