"""What is exchanged: one annotator's work on one note."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.note_work import sha256_of_text
from medomicslab_nb.text.span import Relation, Span, check_span


@dataclass(frozen=True)
class AnnotatedNote:
    """One annotator's work on one note, apart from any study.

    Attributes
    ----------
    note : str
        Identifier of the note.
    sha256 : str
        Of its text: what the offsets are of. Empty where a file of others does not tell it.
    spans : tuple of Span
    relations : tuple of Relation
    done : bool
        Whether the annotator has said that the note is finished.
    annotator : str
    language : str
    text : str or None
        None where the file does not hold it.
    """

    note: str
    sha256: str
    spans: tuple[Span, ...] = ()
    relations: tuple[Relation, ...] = ()
    done: bool = False
    annotator: str = ""
    language: str = ""
    text: str | None = None

    @classmethod
    def of(cls, note: str, text: str, spans: Iterable[Span] = (), relations: Iterable[Relation] = (), *,
           done: bool = False, annotator: str = "", language: str = "") -> AnnotatedNote:
        """With its text.

        Raises
        ------
        DataError
            A span is not one of the text.
        """
        made = cls(note, sha256_of_text(text), tuple(spans), tuple(relations), done, annotator, language, text)
        return made.checked()

    def without_text(self) -> AnnotatedNote:
        """The same without the note's text; every span keeps its own."""
        return replace(self, text=None)

    def with_text(self, text: str) -> AnnotatedNote:
        """The same on a text, which must be the one that was annotated.

        Raises
        ------
        DataError
            It is another one.
        """
        sha256 = sha256_of_text(text)
        if self.sha256 not in ("", sha256):
            raise DataError("the text of a note is not the one that was annotated", where="import",
                            todo="Import the annotations into the study that they come from, or annotate anew")
        return replace(self, sha256=sha256, text=text).checked()

    def checked(self) -> AnnotatedNote:
        """Itself.

        Raises
        ------
        DataError
            A span does not fit the text, two have one identifier, or a relation names none of the spans.
        """
        for span in self.spans if self.text is not None else ():
            check_span(span, self.text or "")
        known = {span.id for span in self.spans}
        if len(known) < len(self.spans):
            raise DataError("two spans of a note have the same identifier", where="import",
                            todo="Export the annotations anew")
        if any(not {each.source, each.target} <= known for each in self.relations):
            raise DataError("a relation names a span that its note does not have", where="import",
                            todo="Export the annotations anew")
        return self


def steady_id(span: Span, place: int = 0) -> str:
    """An identifier made of what a span says, for spans that come without one: the same file gives the same.

    ``place`` tells apart spans that say the same of the same characters.
    """
    said = [span.attribute, span.start, span.end, span.value, span.unit, span.qualifier, *span.context]
    return sha256_json([*said, place] if place else said)[:16]


def with_steady_ids(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Spans with :func:`steady_id`, different ones for different spans."""
    seen: dict[str, int] = {}
    made = []
    for span in spans:
        place = seen.get(steady_id(span), 0)
        seen[steady_id(span)] = place + 1
        made.append(replace(span, id=steady_id(span, place)))
    return tuple(made)
