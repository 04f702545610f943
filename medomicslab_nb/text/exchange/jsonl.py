"""Annotations as JSON lines: our own form, which loses nothing, and the plain one of other tools.

Our own begins with a line that names format and version; every other line is a note with its spans and relations as the
annotator has them, with or without the note's text. Offsets count code points of the text.

The plain form has ``{"text": ..., "spans": [{"start": ..., "end": ..., "label": ...}]}`` on every line (Prodigy,
doccano's ``label`` lists too); ``value``, ``unit``, ``qualifier``, ``context`` and ``id`` of a span and ``note`` or
``id`` of the line are read where they are there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.files import FORMAT_PREFIX, canonical_json
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, with_steady_ids
from medomicslab_nb.text.exchange.refusing import allowed_labels, check_label, refused
from medomicslab_nb.text.span import Relation, Span

FORMAT = f"{FORMAT_PREFIX}annotated_notes"
FORMAT_VERSION = 1

_ONE_SPAN = {"start": int, "end": int, "label": str}


def write_jsonl(notes: Iterable[AnnotatedNote]) -> bytes:
    """Our own form. The same notes give the same bytes."""
    head = {"format": FORMAT, "format_version": FORMAT_VERSION}
    lines = [json.dumps(head), *(canonical_json(asdict(note)) for note in notes)]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def read_jsonl(content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes of either form.

    Parameters
    ----------
    known : iterable of str
        Attributes that spans may have; those of the catalogue if none are given.

    Raises
    ------
    DataError
        A line is no JSON object or lacks something, a span does not fit the text, an attribute is unknown. Names the
        line; nothing is imported then.
    """
    lines = [(number, _line(line, number)) for number, line in enumerate(content.split(b"\n"), 1) if line.strip()]
    allowed = allowed_labels(known)
    if lines and "format" in lines[0][1]:
        _check_head(lines[0][1])
        return [_read(note_of_line, line, number, allowed) for number, line in lines[1:]]
    return [_read(_plain, line, number, allowed) for number, line in lines]


def write_plain_jsonl(notes: Iterable[AnnotatedNote]) -> bytes:
    """The plain form, of spans that hold: texts, offsets, labels, and what we know besides.

    Raises
    ------
    DataError
        A note comes without its text.
    """
    return "".join(f"{canonical_json(_plain_line(note))}\n" for note in notes).encode("utf-8", "surrogatepass")


def _plain_line(note: AnnotatedNote) -> dict[str, Any]:
    if note.text is None:
        raise DataError("the plain form needs the text of every note", where="export",
                        todo="Export our own form, which does without")
    spans = [{"start": span.start, "end": span.end, "label": span.attribute, "value": span.value, "unit": span.unit,
              "qualifier": span.qualifier, "context": span.context} for span in note.spans]
    return {"note": note.note, "text": note.text, "spans": spans}


def _line(line: bytes, number: int) -> dict[str, Any]:
    try:
        content = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise refused(f"line {number} is no JSON object")
    return content


def _check_head(head: Mapping[str, Any]) -> None:
    if head["format"] != FORMAT:
        raise DataError("this is no file of annotated notes", where="import", todo="Choose another file")
    if head.get("format_version") != FORMAT_VERSION:
        raise DataError(f"its format version is not {FORMAT_VERSION}", where="import", todo="Update medomicslab_nb")


def _read(form: Callable[[Mapping[str, Any], frozenset[str]], AnnotatedNote], line: Mapping[str, Any], number: int,
          known: frozenset[str]) -> AnnotatedNote:
    try:
        return form(line, known).checked()
    except MedomicsError as error:
        raise refused(f"line {number}: {error.found}") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise refused(f"line {number} lacks something, or holds it in another form") from None


def note_of_line(line: Mapping[str, Any], known: frozenset[str]) -> AnnotatedNote:
    """A note out of a line of our own form, as :func:`asdict` gives it.

    Raises
    ------
    DataError, KeyError, TypeError
    """
    spans = tuple(Span.from_dict(_strings(span, Span)) for span in line["spans"])
    relations = tuple(Relation(**_strings(each, Relation)) for each in line["relations"])
    for span in spans:
        check_label(span.attribute, known)
    made = AnnotatedNote(str(line["note"]), str(line["sha256"]), spans, relations, line["done"] is True,
                         str(line["annotator"]), str(line["language"]))
    return made if line["text"] is None else made.with_text(line["text"])


def _strings(content: Mapping[str, Any], of: type[Span | Relation]) -> dict[str, Any]:
    """The fields of a class out of a line, each of the type that it has there."""
    kinds = {"start": int, "end": int, "context": list}
    kept = {name: content[name] for name in of.__dataclass_fields__ if name in content}
    if any(type(value) is not kinds.get(name, str) for name, value in kept.items()):
        raise TypeError
    return kept


def _plain(line: Mapping[str, Any], known: frozenset[str]) -> AnnotatedNote:
    text = line["text"]
    if not isinstance(text, str):
        raise TypeError
    made = with_steady_ids(_plain_span(text, each, known) for each in _plain_spans(line))
    return AnnotatedNote.of(str(line.get("note", line.get("id", ""))), text, made)


def _plain_spans(line: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The spans of a line; doccano has lists of start, end and label in their place."""
    for each in line.get("spans", line.get("label", line.get("labels", ()))):
        yield dict(zip(_ONE_SPAN, each, strict=True)) if isinstance(each, list) else each


def _plain_span(text: str, span: Mapping[str, Any], known: frozenset[str]) -> Span:
    if any(type(span[name]) is not kind for name, kind in _ONE_SPAN.items()):
        raise TypeError
    check_label(span["label"], known)
    return Span.of(text, span["label"], span["start"], span["end"], value=str(span.get("value") or ""),
                   unit=str(span.get("unit") or ""), qualifier=str(span.get("qualifier") or ""),
                   context=[str(name) for name in span.get("context") or ()])
