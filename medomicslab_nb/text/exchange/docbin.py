"""Annotations as spaCy's DocBin: the spans that hold as ``doc.spans["facts"]``, everything else beside them.

A span of spaCy is of whole tokens: one that begins or ends within a token (the N0 of T2N0) takes the whole token there.
The exact characters, and all that is not of spaCy, are in ``doc.user_data["medomicslab_nb"]`` as JSON text; where that
is missing, as in files of others, the spans of every group and the entities of the document are read.

The file is MessagePack. Reading it runs no code: srsly has no pickle, and no pipeline is loaded.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.files import canonical_json
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, with_steady_ids
from medomicslab_nb.text.exchange.jsonl import note_of_line
from medomicslab_nb.text.exchange.refusing import MOST_BYTES, allowed_labels, cannot_say, check_label, encoded, refused
from medomicslab_nb.text.spacy_parts import Doc, DocBin, Language, Vocab, spacy
from medomicslab_nb.text.span import HOLDING, Span

GROUP = "facts"
KEY = "medomicslab_nb"
_LANGUAGES = ("fr", "en")


def write_docbin(notes: Iterable[AnnotatedNote]) -> bytes:
    """The file's bytes.

    Raises
    ------
    DataError
        A note comes without its text.
    """
    pipelines: dict[str, Language] = {}
    stored = DocBin(store_user_data=True)
    for note in notes:
        code = note.language if note.language in _LANGUAGES else "xx"
        if code not in pipelines:
            pipelines[code] = spacy.blank(code)
            pipelines[code].max_length = 1 << 31
        stored.add(_doc(note, pipelines[code]))
    return stored.to_bytes()


def read_docbin(content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes of a DocBin, ours or another's; those of others have their number as identifier.

    Raises
    ------
    DataError
        It is no DocBin or damaged, or a span does not fit. Names the document; nothing is imported then.
    """
    allowed = allowed_labels(known)
    return [_note(doc, number, allowed) for number, doc in enumerate(_docs(content), 1)]


def holding_spans(doc: Doc, spans: Iterable[Span]) -> list[Any]:
    """Spans of whole tokens around those that hold; one without a token in it is left out."""
    made = [doc.char_span(span.start, span.end, label=span.attribute, alignment_mode="expand")
            for span in spans if span.status in HOLDING]
    return [span for span in made if span is not None]


def _doc(note: AnnotatedNote, nlp: Language) -> Doc:
    if note.text is None:
        raise cannot_say("a note is without its text", "DocBin")
    encoded(note.text, "DocBin")
    doc = nlp.make_doc(note.text)
    doc.spans[GROUP] = holding_spans(doc, note.spans)
    doc.user_data[KEY] = canonical_json(asdict(note.without_text()))
    return doc


def _docs(content: bytes) -> list[Doc]:
    try:
        unpacker = zlib.decompressobj()
        unpacker.decompress(content, MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise refused("the file unpacks to more than can be read")
        return list(DocBin().from_bytes(content).get_docs(Vocab()))
    except MedomicsError:
        raise
    except Exception as error:  # whatever a damaged file leads to within spaCy
        raise refused(f"this is no whole DocBin ({type(error).__name__})") from None


def _note(doc: Doc, number: int, known: frozenset[str]) -> AnnotatedNote:
    try:
        said = doc.user_data.get(KEY)
        return _foreign(doc, number, known) if said is None else _own(doc, said, known)
    except MedomicsError as error:
        raise refused(f"document {number}: {error.found}") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise refused(f"document {number} lacks something, or holds it in another form") from None


def _own(doc: Doc, said: str, known: frozenset[str]) -> AnnotatedNote:
    return note_of_line({**json.loads(said), "text": doc.text}, known)


def _foreign(doc: Doc, number: int, known: frozenset[str]) -> AnnotatedNote:
    found = dict.fromkeys((span.start_char, span.end_char, span.label_) for span in _tokens(doc))
    for _, _, label in found:
        check_label(label, known)
    spans = with_steady_ids(Span.of(doc.text, label, start, end) for start, end, label in found)
    return AnnotatedNote.of(str(number), doc.text, spans)


def _tokens(doc: Doc) -> Iterator[Any]:
    for group in doc.spans.values():
        yield from group
    yield from doc.ents
