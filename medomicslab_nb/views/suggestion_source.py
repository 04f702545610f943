"""What the annotator is offered: what rules find, and behind it what a model learnt from finished notes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from medomicslab_nb.errors import MissingExtraError
from medomicslab_nb.progress import Progress
from medomicslab_nb.study import Study
from medomicslab_nb.text.annotation_desk import NoteText, Suggest, said_uncertain
from medomicslab_nb.text.annotations import Annotations
from medomicslab_nb.text.span import Span

if TYPE_CHECKING:
    from medomicslab_nb.text.suggestions import ModelInTheLoop, Report


class SuggestionSource:
    """Rules, and a model once there is one: trained here, or on an earlier day.

    Until then nothing of the model is loaded, and nothing is slower than with rules alone.

    Parameters
    ----------
    study : Study
    annotations : Annotations
        Whose finished notes the model learns from.
    notes : sequence of NoteText
    rules : callable
    """

    def __init__(self, study: Study, annotations: Annotations, notes: Sequence[NoteText], rules: Suggest) -> None:
        self._study, self._annotations, self._notes, self._rules = study, annotations, notes, rules

    def suggest(self, note: str, language: str) -> Iterable[Any]:
        """What rules find; then, where they found nothing, what the model does."""
        return self._loop.suggest(note, language) if self._known else self._rules(note, language)

    def doubt(self, note: str, spans: Sequence[Span]) -> float:
        """How unsure the model is of a note, in bits; of one that it cannot judge, what the note calls uncertain."""
        doubted = self._loop.doubt(note, spans) if self._known else 0.0
        return doubted or said_uncertain(note, spans)

    def train(self, progress: Progress) -> list[Report]:
        """Train on what is finished now; what came of it, by language.

        Raises
        ------
        TooFewError, MissingExtraError, Cancelled
        """
        reports = self._loop.train(progress)
        self._known = True
        return reports

    def reports(self) -> list[Report]:
        """What is known of the models in use; none where there are none."""
        return [trained.report for trained in self._loop.trained.values()] if self._known else []

    @cached_property
    def _known(self) -> bool:
        """Whether there is a model. The folder is looked at first: to look into it takes what trains models."""
        cache = self._study.cache("suggestions")
        try:
            return cache is not None and cache.folder.is_dir() and bool(self._loop.trained)
        except MissingExtraError:
            return False

    @cached_property
    def _loop(self) -> ModelInTheLoop:
        from medomicslab_nb.text.suggestions import ModelInTheLoop

        return ModelInTheLoop(self._study, self._annotations, self._notes, self._rules)
