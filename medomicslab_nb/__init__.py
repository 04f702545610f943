"""medomicslab_nb: from hospital data to a validated, explained, repeatable model, in notebooks and headless.

>>> import medomicslab_nb as ml
>>> study = ml.open_study("my_study")
>>> run = ml.run("models", study, {"outcome": "dmfs"})

Nothing heavy is imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.stages import STAGES, load

if TYPE_CHECKING:
    from medomicslab_nb.data.samples import get_sample
    from medomicslab_nb.record import RunRecord
    from medomicslab_nb.runner import run
    from medomicslab_nb.study import Study, create_study, open_study
    from medomicslab_nb.tables import Column
    from medomicslab_nb.views.adjudication import Adjudicator as adjudicate
    from medomicslab_nb.views.identifier_review import IdentifierReview as review_identifiers
    from medomicslab_nb.views.language import set_language
    from medomicslab_nb.views.nlp_annotator import NlpAnnotator as annotate
    from medomicslab_nb.views.run_browser import RunBrowser as runs
    from medomicslab_nb.views.stage_view import view

__version__ = "0.1.0"
__all__ = ["STAGES", "Column", "MedomicsError", "RunRecord", "Study", "adjudicate", "annotate", "create_study",
           "get_sample", "open_study", "review_identifiers", "run", "runs", "set_language", "view"]

_LAZY = {
    "run": "medomicslab_nb.runner:run",
    "adjudicate": "medomicslab_nb.views.adjudication:Adjudicator",
    "annotate": "medomicslab_nb.views.nlp_annotator:NlpAnnotator",
    "Column": "medomicslab_nb.tables:Column",
    "RunRecord": "medomicslab_nb.record:RunRecord",
    "Study": "medomicslab_nb.study:Study",
    "create_study": "medomicslab_nb.study:create_study",
    "get_sample": "medomicslab_nb.data.samples:get_sample",
    "open_study": "medomicslab_nb.study:open_study",
    "review_identifiers": "medomicslab_nb.views.identifier_review:IdentifierReview",
    "runs": "medomicslab_nb.views.run_browser:RunBrowser",
    "set_language": "medomicslab_nb.views.language:set_language",
    "view": "medomicslab_nb.views.stage_view:view",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return load(_LAZY[name])
    raise AttributeError(f"module 'medomicslab_nb' has no attribute '{name}'")
