"""Annotations as brat's standoff files: a ``NOTE.txt`` and a ``NOTE.ann`` for every note, in one ZIP archive.

Written are text-bound annotations (T), relations (R), the context and status of a span as attributes (A), and what else
is known of it as notes (#Value, #Unit, #Qualifier, #Rule, #RuleVersion, #Time). Identifiers of spans, the annotator,
the language and whether a note is finished have no place in brat.

Read is the same; an ``AnnotatorNotes`` is taken for the value where there is no #Value. Events, normalisations and
equivalences, and spans of several pieces, are refused: they would be lost. A span that goes on in the next line is
several pieces in brat, too, with nothing but the line's end between them: that is one span. Offsets count code points.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, with_steady_ids
from medomicslab_nb.text.exchange.refusing import (
    MOST_BYTES,
    allowed_labels,
    cannot_say,
    check_label,
    decoded,
    encoded,
    refused,
)
from medomicslab_nb.text.span import ADDED, STATUSES, Relation, Span

_NOTES = {"Value": "value", "Unit": "unit", "Qualifier": "qualifier", "Rule": "rule", "RuleVersion": "rule_version",
          "Time": "time"}
_COMMENT = "AnnotatorNotes"
_STATUS = "Status"
_LINE_END = re.compile(r"[\r\n]+")
_TOKEN = re.compile(r"[^\s:;]+")
_T = re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)", re.DOTALL)
_R = re.compile(r"R\d+\t(\S+) Arg1:(T\d+) Arg2:(T\d+)\s*")
_A = re.compile(r"[AM]\d+\t(\S+) (T\d+)(?: (\S+))?\s*")
_N = re.compile(r"#\d+\t(\S+) (\S+)\t(.*)", re.DOTALL)


def write_brat(notes: Iterable[AnnotatedNote]) -> bytes:
    """A ZIP archive. The same notes give the same bytes.

    Raises
    ------
    DataError
        Something that brat cannot say: a note without its text, a value of several lines, a span that begins or ends
        at a line's end.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in brat_files(notes).items():
            archive.writestr(zipfile.ZipInfo(name), content)  # the time in it is always the same
    return stream.getvalue()


def read_brat(content: bytes, *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes of a ZIP archive of ``.txt`` and ``.ann`` files.

    Raises
    ------
    DataError
        It is no such archive, or something in it does not fit. Names the file's number in the archive and the line;
        nothing is imported then.
    """
    return from_brat_files(_unpacked(content), known=known)


def brat_files(notes: Iterable[AnnotatedNote]) -> dict[str, bytes]:
    """The files by name; see :func:`write_brat`."""
    made: dict[str, bytes] = {}
    for note in notes:
        if note.text is None:
            raise cannot_say("a note is without its text", "brat")
        stem = quote(note.note, safe=" ")
        made[f"{stem}.txt"] = encoded(note.text, "brat")
        made[f"{stem}.ann"] = encoded("".join(f"{line}\n" for line in _lines(note)), "brat")
    return made


def from_brat_files(files: dict[str, bytes], *, known: Iterable[str] | None = None) -> list[AnnotatedNote]:
    """Notes of brat's files by name, in the order of the names; see :func:`read_brat`."""
    allowed = allowed_labels(known)
    stems = {name[:-4] for name in files if name.endswith((".txt", ".ann"))}
    made = []
    for number, stem in enumerate(sorted(stems), 1):
        where = f"note {number} of {len(stems)}"
        if f"{stem}.txt" not in files:
            raise refused("a file of annotations is without its text", where)
        text = _text(files[f"{stem}.txt"], where)
        lines = decoded(files.get(f"{stem}.ann", b""), where).replace("\r\n", "\n").split("\n")
        made.append(_read(unquote(PurePosixPath(stem).name), text, lines, allowed, where))
    return made


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode()  # a byte-order mark is a character of the text, which offsets count
    except UnicodeDecodeError:
        raise refused("the file is not in UTF-8", where) from None


def _unpacked(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            wanted = [info for info in archive.infolist() if info.filename.endswith((".txt", ".ann"))]
            if sum(info.file_size for info in wanted) > MOST_BYTES:
                raise refused("the archive unpacks to more than can be read")
            if len({info.filename for info in wanted}) < len(wanted):
                raise refused("the archive has two files of one name")
            # Nothing is written to the disk, so that no name can lead out of a folder. No more is read than is said.
            return {info.filename: archive.read(info) for info in wanted}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, ValueError, EOFError) as error:
        raise refused(f"this is no whole ZIP archive ({type(error).__name__})") from None


# -- writing ---------------------------------------------------------------------------------------------------------


def _lines(note: AnnotatedNote) -> Iterator[str]:
    names = {span.id: f"T{number}" for number, span in enumerate(note.spans, 1)}
    for span in note.spans:
        yield f"{names[span.id]}\t{_token(span.attribute)} {_pieces(span)}"
    for number, each in enumerate(note.relations, 1):
        yield f"R{number}\t{_token(each.kind)} Arg1:{names[each.source]} Arg2:{names[each.target]}"
    said = [(names[span.id], name) for span in note.spans for name in (*map(str.title, span.context),
                                                                       f"{_STATUS} {span.status}")]
    for number, (name, what) in enumerate(said, 1):
        kind, _, value = what.partition(" ")
        yield f"A{number}\t{kind} {name} {value}".rstrip()
    told = [(kind, names[span.id], _one_line(getattr(span, attribute))) for span in note.spans
            for kind, attribute in _NOTES.items() if getattr(span, attribute)]
    for number, (kind, name, value) in enumerate(told, 1):
        yield f"#{number}\t{kind} {name}\t{value}"


def _pieces(span: Span) -> str:
    """Offsets and text: as many pieces as lines."""
    ends = [match.span() for match in _LINE_END.finditer(span.text)]
    starts = [span.start, *(span.start + end for _, end in ends)]
    stops = [*(span.start + start for start, _ in ends), span.end]
    if any(start >= stop for start, stop in zip(starts, stops, strict=True)):
        raise cannot_say("a span begins or ends at a line's end", "brat")
    offsets = ";".join(f"{start} {stop}" for start, stop in zip(starts, stops, strict=True))
    return f"{offsets}\t{_LINE_END.sub(' ', span.text)}"


def _token(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        raise cannot_say("a label or relation has a space or colon in its name", "brat")
    return name


def _one_line(value: str) -> str:
    if _LINE_END.search(value):
        raise cannot_say("a value goes over several lines", "brat")
    return value


# -- reading ---------------------------------------------------------------------------------------------------------


@dataclass
class _Draft:
    """A note whose lines are being read; spans by brat's identifier."""

    text: str
    known: frozenset[str]
    spans: dict[str, Span] = field(default_factory=dict)
    relations: list[tuple[str, str, str]] = field(default_factory=list)
    said: dict[str, dict[str, str]] = field(default_factory=dict)
    contexts: dict[str, set[str]] = field(default_factory=dict)


def _read(name: str, text: str, lines: list[str], known: frozenset[str], where: str) -> AnnotatedNote:
    draft = _Draft(text, known)
    for number, line in enumerate(lines, 1):
        try:
            _take(draft, line)
        except MedomicsError as error:
            raise refused(f"line {number}: {error.found}", where) from None
        except ValueError:  # thousands of digits
            raise refused(f"line {number}: an offset is no number", where) from None
    try:
        return _finished(name, draft)
    except (MedomicsError, KeyError):
        raise refused("a line speaks of a span that there is not", where) from None


def _take(draft: _Draft, line: str) -> None:
    if not line.strip():
        return
    if found := _T.fullmatch(line):
        _take_span(draft, *found.groups())
    elif found := _R.fullmatch(line):
        draft.relations.append((found[1], found[2], found[3]))
    elif found := _A.fullmatch(line):
        _take_attribute(draft, *found.groups())
    elif found := _N.fullmatch(line):
        _take_note(draft, *found.groups())
    else:
        raise refused("is none of a span, relation, attribute or note"
                      if line[0] in "TRAM#" else "is an event, a normalisation or an equivalence, which would be lost")


def _take_span(draft: _Draft, name: str, label: str, offsets: str, words: str) -> None:
    check_label(label, draft.known)
    pieces = [tuple(map(int, piece.split())) for piece in offsets.split(";")]
    gaps = [draft.text[stop:start] for (_, stop), (start, _) in pairwise(pieces)]
    if not all(_LINE_END.fullmatch(gap) for gap in gaps):
        raise refused("has a span of several pieces, which would be lost")
    span = Span.of(draft.text, label, pieces[0][0], pieces[-1][1])
    if _LINE_END.sub(" ", span.text) != words or name in draft.spans:
        raise refused("has a span whose text is not what stands there, or twice the same identifier")
    draft.spans[name] = span


def _take_attribute(draft: _Draft, kind: str, name: str, value: str | None) -> None:
    if kind.lower() in CONTEXTS and value is None:
        draft.contexts.setdefault(name, set()).add(kind.lower())
    elif kind == _STATUS and value in STATUSES:
        draft.said.setdefault(name, {})["status"] = value
    else:
        raise refused("has an attribute that we do not know")


def _take_note(draft: _Draft, kind: str, name: str, value: str) -> None:
    said = draft.said.setdefault(name, {})
    if kind in _NOTES:
        said[_NOTES[kind]] = value
    elif kind == _COMMENT:
        said.setdefault("value", value)
    else:
        raise refused("has a note of a kind that we do not know")


def _full(span: Span, said: Mapping[str, str], contexts: Collection[str]) -> Span:
    """A span with what other lines say of it."""
    named = tuple(name for name in CONTEXTS if name in contexts)
    return Span.from_dict({**asdict(span), "status": ADDED, **said, "context": named})


def _finished(name: str, draft: _Draft) -> AnnotatedNote:
    if not draft.said.keys() | draft.contexts.keys() <= draft.spans.keys():
        raise KeyError
    spans = with_steady_ids(_full(span, draft.said.get(key, {}), draft.contexts.get(key, set()))
                            for key, span in draft.spans.items())
    names = {key: span.id for key, span in zip(draft.spans, spans, strict=True)}
    relations = [Relation(kind, names[source], names[target], sha256_json([kind, names[source], names[target]])[:16])
                 for kind, source, target in draft.relations]
    return AnnotatedNote.of(name, draft.text, spans, relations)
