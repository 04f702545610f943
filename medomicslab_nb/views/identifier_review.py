"""The review screen of de-identification: what rules take for identifiers, to accept, reject and add to."""

from __future__ import annotations

from medomicslab_nb.text.annotation_desk import Suggest
from medomicslab_nb.text.annotation_labels import LabelGroup
from medomicslab_nb.text.annotations import IDENTIFIERS
from medomicslab_nb.text.identifiers.known import KnownIdentifiers
from medomicslab_nb.text.identifiers.review import identifier_labels, suggested
from medomicslab_nb.views.nlp_annotator import NlpAnnotator


class IdentifierReview(NlpAnnotator):
    """The annotator with kinds of identifiers for labels; its work is kept apart from what the notes say.

    The next run of the text stage that makes de-identified copies replaces what was marked and spares what was only
    rejected. Rules are an aid: notes are not anonymous, before the review or after it.
    """

    folder = IDENTIFIERS
    learns = False

    def suggest(self) -> Suggest:
        """What rules find, and the identifiers that the study holds of its patients."""
        return suggested(KnownIdentifiers.of(self.study.identifiers()))

    def labels(self) -> list[LabelGroup]:
        """Kinds of identifiers."""
        return list(identifier_labels())
