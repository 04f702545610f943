"""Annotations that leave and come back: the same spans of the same characters, or an error and nothing."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import spacy
from hypothesis import example, given, settings, strategies as st
from spacy.tokens import DocBin

from medomicslab_nb.errors import DataError, MissingExtraError, SettingsError
from medomicslab_nb.files import sha256_json
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text.annotation_desk import NoteText
from medomicslab_nb.text.annotations import Annotations, open_annotations, read_annotations
from medomicslab_nb.text.attributes import CONTEXTS
from medomicslab_nb.text.exchange import refusing
from medomicslab_nb.text.exchange.annotated_note import AnnotatedNote, with_steady_ids
from medomicslab_nb.text.exchange.brat import brat_files, from_brat_files, read_brat, write_brat
from medomicslab_nb.text.exchange.csv_rows import read_csv, write_csv
from medomicslab_nb.text.exchange.docbin import read_docbin, write_docbin
from medomicslab_nb.text.exchange.forms import FORMS, read_form, write_form
from medomicslab_nb.text.exchange.jsonl import read_jsonl, write_jsonl, write_plain_jsonl
from medomicslab_nb.text.exchange.of_study import annotated_notes, take_in
from medomicslab_nb.text.span import ACCEPTED, REJECTED, STATUSES, SUGGESTED, Relation, Span

TEXT = "🙂 E\u0301tude :\r\ntumeur pT2N0 à gauche\tde 3 cm.\r\n👩🏽‍⚕️ =1+1 \u2028fin\n"
LABELS = ("t_category", "n_category", "grade", "tumour_size")

_AWKWARD = "aT2N0é 🙂e\u0301\r\n\t\u2028\x85\u00a0=+@-'\";,#<>&👩🏽\u200d⚕️\x00"
_notes = st.text(st.sampled_from(_AWKWARD), max_size=60) | st.text(max_size=40)
_values = st.text(st.characters(codec="utf-8"), max_size=12)
_one_line = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=12)


@st.composite
def annotated(draw: st.DrawFn, values: st.SearchStrategy[str] = _values) -> AnnotatedNote:
    """A note with any text and any spans of it, overlapping ones too, and relations between them."""
    text = draw(_notes)
    spans = [draw(_span(text, values)) for _ in range(draw(st.integers(0, 4)) if text else 0)]
    kept = with_steady_ids(spans)
    relations = [_relation(kept[0], other) for other in kept[1:] if draw(st.booleans())]
    return AnnotatedNote.of(draw(_one_line), text, kept, relations, done=draw(st.booleans()),
                            annotator=draw(_one_line), language=draw(st.sampled_from(["fr", "en", ""])))


@st.composite
def _span(draw: st.DrawFn, text: str, values: st.SearchStrategy[str]) -> Span:
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    return replace(Span.of(text, draw(st.sampled_from(LABELS)), start, end, value=draw(values), unit=draw(values),
                           qualifier=draw(values), context=draw(st.sets(st.sampled_from(CONTEXTS)))),
                   status=draw(st.sampled_from(STATUSES)), rule=draw(values), rule_version=draw(values),
                   time=draw(values))


def _relation(source: Span, target: Span) -> Relation:
    said = ["of", source.id, target.id]
    return Relation("of", source.id, target.id, sha256_json(said)[:16])


def example_note() -> AnnotatedNote:
    def span(words: str, attribute: str, **said: Any) -> Span:
        start = TEXT.index(words)
        return Span.of(TEXT, attribute, start, start + len(words), **said)
    spans = with_steady_ids([
        span("T2", "t_category", value="T2", qualifier="p", status=ACCEPTED), span("N0", "n_category", value="N0"),
        span("3 cm", "tumour_size", value="30", unit="mm", context=["history", "negated"]),
        span("=1+1", "grade", value="=1+1"), span("tumeur pT2N0 à gauche", "grade", value="'=x", status=REJECTED),
        span("🙂 E\u0301tude :\r\ntumeur", "grade", rule="r", rule_version="1", status=SUGGESTED)])
    return AnnotatedNote.of("N/1", TEXT, spans, [_relation(spans[0], spans[2])], done=True, annotator="Zoé",
                            language="fr")


# -- round trips -----------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(st.lists(annotated(), max_size=3), st.booleans())
@example([example_note()], True)
def test_jsonl_loses_nothing(notes: list[AnnotatedNote], with_text: bool) -> None:
    written = notes if with_text else [note.without_text() for note in notes]
    assert read_jsonl(write_jsonl(written)) == written


@settings(max_examples=50, deadline=None)
@given(st.lists(annotated(), max_size=3))
@example([example_note()])
def test_docbin_loses_nothing(notes: list[AnnotatedNote]) -> None:
    assert read_docbin(write_docbin(notes)) == notes


@settings(max_examples=200, deadline=None)
@given(st.lists(annotated(_one_line), max_size=3, unique_by=lambda note: note.note))
@example([example_note()])
def test_brat_loses_what_it_says_it_loses_or_refuses(notes: list[AnnotatedNote]) -> None:
    kept = [replace(note, done=False, annotator="", language="") for note in notes]
    edges = [edge for note in notes for span in note.spans for edge in (span.text[0], span.text[-1])]
    if "\n" in edges or "\r" in edges:
        with pytest.raises(DataError, match="line's end"):
            write_brat(notes)
    else:
        assert _by_name(read_brat(write_brat(notes))) == _by_name(kept)


@settings(max_examples=200, deadline=None)
@given(annotated())
@example(example_note())
def test_csv_keeps_every_span(note: AnnotatedNote) -> None:
    kept = replace(note, relations=(), done=False)
    assert [each.with_text(note.text or "") for each in read_csv(write_csv([note]))] == ([kept] if note.spans else [])


@settings(max_examples=100, deadline=None)
@given(annotated())
def test_the_plain_form_keeps_offsets_labels_and_values(note: AnnotatedNote) -> None:
    def said(each: AnnotatedNote) -> list[Any]:
        return [(span.attribute, span.start, span.end, span.text, span.value, span.unit, span.qualifier, span.context)
                for span in each.spans]
    (read,) = read_jsonl(write_plain_jsonl([note]))
    assert (read.note, read.text, said(read)) == (note.note, note.text, said(note))


def _by_name(notes: list[AnnotatedNote]) -> dict[str, AnnotatedNote]:
    return {note.note: note for note in notes}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_bytes_and_exact_characters(form: str) -> None:
    content = write_form(form, [example_note()])
    assert content == write_form(form, [example_note()])
    (read,) = read_form(form, content)
    assert [TEXT[span.start:span.end] for span in read.spans] == [span.text for span in example_note().spans]


# -- what others read ------------------------------------------------------------------------------------------------


def test_spacy_sees_whole_tokens_of_the_spans_that_hold() -> None:
    (doc,) = DocBin().from_bytes(write_docbin([example_note()])).get_docs(spacy.blank("fr").vocab)
    assert doc.text == TEXT
    assert [(span.text, span.label_) for span in doc.spans["facts"]] == [
        ("pT2N0", "t_category"), ("pT2N0", "n_category"), ("3 cm", "tumour_size"), ("=1+1", "grade")]


def test_brat_files_are_as_brat_writes_them() -> None:
    files = brat_files([example_note()])
    assert files["N%2F1.txt"].decode() == TEXT
    lines = files["N%2F1.ann"].decode().split("\n")
    start = TEXT.index("T2")
    assert lines[0] == f"T1\tt_category {start} {start + 2}\tT2"
    assert "T6\tgrade 0 10;12 18\t🙂 E\u0301tude : tumeur" in lines
    assert "R1\tof Arg1:T1 Arg2:T3" in lines
    assert any(line.startswith("A") and line.endswith("\tNegated T3") for line in lines)
    assert any(line.endswith("\tUnit T3\tmm") for line in lines)


def test_84_no_cell_of_a_csv_is_a_formula() -> None:
    import pandas as pd

    frame = pd.read_csv(io.BytesIO(write_csv([example_note()])), dtype=str, keep_default_na=False)
    cells = [cell for name in frame for cell in frame[name]]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n"))]
    assert list(frame["value"])[3:5] == ["'=1+1", "''=x"]


# -- what others write -----------------------------------------------------------------------------------------------


def test_plain_lines_of_other_tools() -> None:
    lines = [{"text": "grade 2 🙂 T2", "spans": [{"start": 10, "end": 12, "label": "t_category", "token_start": 3}]},
             {"id": 7, "text": "grade 2", "label": [[0, 7, "grade"]]}, {"text": "rien"}]
    read = read_jsonl("\n".join(map(json.dumps, lines)).encode())
    assert [[(span.attribute, span.text, span.status) for span in note.spans] for note in read] == [
        [("t_category", "T2", "added")], [("grade", "grade 2", "added")], []]
    assert read[1].note == "7"


def test_docbin_of_others_has_entities_and_groups() -> None:
    nlp = spacy.blank("en")
    doc = nlp("Grade 2 and T2")
    doc.ents = [doc.char_span(0, 7, label="grade")]
    doc.spans["sc"] = [doc.char_span(0, 7, label="grade"), doc.char_span(12, 14, label="t_category")]
    (note,) = read_docbin(DocBin(docs=[doc]).to_bytes())
    assert sorted((span.attribute, span.text) for span in note.spans) == [("grade", "Grade 2"), ("t_category", "T2")]


def test_brat_of_others_on_windows() -> None:
    files = {"a/n1.txt": b"Grade 2\r\nT2", "a/n1.ann":
             b"T1\tgrade 0 7\tGrade 2\r\nT2\tt_category 9 11\tT2\r\n#1\tAnnotatorNotes T2\tT2\r\n"}
    (note,) = from_brat_files(files)
    assert (note.note, [(span.text, span.value) for span in note.spans]) == ("n1", [("Grade 2", ""), ("T2", "T2")])


def test_csv_of_a_spreadsheet_with_semicolons() -> None:
    rows = "note;attribute;start;end;text;context\nN1;grade;0;7;Grade 2;\"negated;history\"\n"
    (note,) = read_csv(rows.encode())
    assert note.with_text("Grade 2, T2").spans[0].context == ("negated", "history")
    with pytest.raises(DataError, match="not what the note holds"):
        note.with_text("grade 2, T2")


# -- files that are refused, whole -----------------------------------------------------------------------------------


def _plain_line(**span: Any) -> bytes:
    return json.dumps({"text": "grade 2", "spans": [{"start": 0, "end": 7, "label": "grade", **span}]}).encode()


@pytest.mark.parametrize("line, fault", [
    (_plain_line(end=8), "outside the note"), (_plain_line(start=-1), "outside the note"),
    (_plain_line(start=7), "outside the note"), (_plain_line(label="SECRET-77"), "none of our attributes"),
    (_plain_line(context=["maybe"]), "no context"), (_plain_line(start="0"), "lacks something"),
    (_plain_line(start=True), "lacks something"), (_plain_line(label=["grade"]), "lacks something"),
    (b"{", "no JSON object"), (b"[1]", "no JSON object"), (b"\xff", "no JSON object"), (b"[" * 100_000, "no JSON"),
    (b'{"text": 1}', "lacks something"), (b'{"spans": []}', "lacks something"),
    (b'{"text": "a", "spans": 3}', "lacks something"), (b'{"text": "a", "spans": [3]}', "lacks something")])
def test_wrong_plain_lines(line: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as raised:
        read_jsonl(_plain_line() + b"\n" + line)
    assert "line 2" in str(raised.value)
    assert "grade 2" not in str(raised.value)
    assert "SECRET" not in str(raised.value)


def _changed(change: Callable[[dict[str, Any]], Any]) -> bytes:
    head, line = write_jsonl([example_note()]).split(b"\n")[:2]
    content = json.loads(line)
    change(content)
    return head + b"\n" + json.dumps(content).encode()


@pytest.mark.parametrize("change, fault", [
    (lambda note: note.update(text=note["text"] + "."), "not the one that was annotated"),
    (lambda note: note["spans"][0].update(start=0), "not what the note holds"),
    (lambda note: note["spans"][0].update(status="sure"), "no status"),
    (lambda note: note["spans"][1].update(id=note["spans"][0]["id"]), "same identifier"),
    (lambda note: note["spans"][0].update(attribute="other"), "none of our attributes"),
    (lambda note: note["spans"][0].update(value=3), "lacks something"),
    (lambda note: note["spans"][0].update(context="negated"), "lacks something"),
    (lambda note: note["spans"][0].pop("end"), "lacks something"),
    (lambda note: note["relations"][0].update(target="0" * 16), "names a span"),
    (lambda note: note.pop("sha256"), "lacks something")])
def test_wrong_lines_of_our_own_form(change: Callable[[dict[str, Any]], Any], fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        read_jsonl(_changed(change))


def test_a_newer_format_is_named() -> None:
    with pytest.raises(DataError, match="version"):
        read_jsonl(b'{"format": "medomicslab_nb/annotated_notes", "format_version": 2}\n')
    with pytest.raises(DataError, match="no file of annotated notes"):
        read_jsonl(b'{"format": "medomicslab_nb/study", "format_version": 1}\n')


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("pickle-was-run"),)


@pytest.mark.parametrize("content", [b"", b"nonsense", zlib.compress(b"nonsense"), pickle.dumps(_Evil()),
                                     zlib.compress(pickle.dumps(_Evil())), zlib.compress(b"\x81\xa1a\x01"),
                                     zlib.compress(b"\x91\x01"), write_docbin([example_note()])[:-9]])
def test_83_what_is_no_docbin_is_refused_and_nothing_is_run(content: bytes, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="no whole DocBin"):
        read_docbin(content)
    assert not list(tmp_path.iterdir())


def test_82_a_docbin_or_archive_that_unpacks_to_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    docbin, archive = write_docbin([example_note()]), write_brat([example_note()])
    for module in ("brat", "docbin"):
        monkeypatch.setattr(f"medomicslab_nb.text.exchange.{module}.MOST_BYTES", 100)
    with pytest.raises(DataError, match="more than can be read"):
        read_docbin(docbin)
    with pytest.raises(DataError, match="more than can be read"):
        read_brat(archive)
    assert refusing.MOST_BYTES > 1e8


@pytest.mark.parametrize("said", ["{}", "[]", "{", 3, '{"note": "N"}'])
def test_wrong_user_data_of_a_docbin(said: Any) -> None:
    doc = spacy.blank("fr")("Grade 2")
    doc.user_data["medomicslab_nb"] = said
    with pytest.raises(DataError, match="document 1"):
        read_docbin(DocBin(docs=[doc], store_user_data=True).to_bytes())


def test_an_unknown_label_of_a_docbin() -> None:
    doc = spacy.blank("en")("Dr Martin")
    doc.ents = [doc.char_span(3, 9, label="PERSON")]
    with pytest.raises(DataError, match="document 1: has a label that is none of our attributes"):
        read_docbin(DocBin(docs=[doc]).to_bytes())
    assert read_docbin(DocBin(docs=[doc]).to_bytes(), known=["PERSON"])[0].spans[0].text == "Martin"


@pytest.mark.parametrize("line, fault", [
    ("T1\tgrade 0 7;9 11\tGrade 2 T2", "several pieces"), ("T1\tgrade 0 7\tGrade 3", "not what stands there"),
    ("T1\tgrade 0 70\tGrade 2", "outside the note"), ("T1\tsize 0 7\tGrade 2", "none of our attributes"),
    ("T1\tgrade 7 0\tGrade 2", "outside the note"), ("T1\tgrade 0 " + "9" * 5000 + "\tGrade 2", "no number"),
    ("T1 grade 0 7 Grade 2", "none of a span"), ("E1\tgrade:T1", "event"),
    ("N1\tReference T1 ICD:1\tx", "normalisation"),
    ("*\tEquiv T1 T2", "equivalence"), ("A1\tNegated T9", "a span that there is not"),
    ("R1\tof Arg1:T8 Arg2:T9", "a span that there is not"), ("#1\tValue T9\t3", "a span that there is not"),
    ("T1\tgrade 0 7\tGrade 2\nA1\tSure T1", "an attribute that we do not know"),
    ("T1\tgrade 0 7\tGrade 2\nA1\tStatus T1 sure", "an attribute that we do not know"),
    ("T1\tgrade 0 7\tGrade 2\n#1\tOther T1\tx", "a kind that we do not know"),
    ("T1\tgrade 0 7\tGrade 2\nT1\tgrade 0 7\tGrade 2", "twice the same identifier")])
def test_wrong_lines_of_brat(line: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as raised:
        from_brat_files({"martin.txt": b"Grade 2, T2", "martin.ann": line.encode()})
    assert "note 1 of 1" in str(raised.value)
    assert "artin" not in str(raised.value)


def test_wrong_archives_of_brat() -> None:
    with pytest.raises(DataError, match="without its text"):
        from_brat_files({"a.ann": b""})
    with pytest.raises(DataError, match="not in UTF-8"):
        from_brat_files({"a.txt": "é".encode("latin-1")})
    with pytest.raises(DataError, match="no whole ZIP"):
        read_brat(b"PK")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("a.txt", "one")
        archive.writestr("a.txt", "two")
    with pytest.raises(DataError, match="two files of one name"):
        read_brat(stream.getvalue())


def test_81_names_in_an_archive_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../escaped.txt", "one")
    assert [note.note for note in read_brat(stream.getvalue())] == ["escaped"]
    assert not list(tmp_path.parent.parent.glob("escaped*"))


@pytest.mark.parametrize("row, fault", [
    ("N1,grade,0,x,Grade 2", "no whole number"), ("N1,grade,0,8,Grade 2", "longer or shorter"),
    ("N1,grade,-1,6,Grade 2", "longer or shorter"), ("N1,grade,3,3,", "empty"), ("N1,size,0,7,Grade 2", "attributes"),
    ("N1,grade,0,7", "more or fewer cells"), ('N1,grade,0,7,"Grade 2', "no whole CSV"),
    ("N1,grade,0," + "9" * 5000 + ",Grade 2", "no whole number")])
def test_wrong_rows_of_csv(row: str, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as raised:
        read_csv(f"note,attribute,start,end,text\nN1,grade,0,7,Grade 2\n{row}\n".encode())
    assert "Grade" not in str(raised.value)


@pytest.mark.parametrize("content, fault", [
    (b"", "no column 'note'"), (b"note,attribute,start,text\n", "no column 'end'"), (b"\xff\xfe", "not in UTF-8"),
    (b"note,note,attribute,start,end,text\n", "same name")])
def test_wrong_tables(content: bytes, fault: str) -> None:
    with pytest.raises(DataError, match=fault):
        read_csv(content)


@pytest.mark.parametrize("form", ["plain jsonl", "docbin", "brat"])
def test_forms_that_need_the_text_say_so(form: str) -> None:
    with pytest.raises(DataError, match="text"):
        write_form(form, [example_note().without_text()])


def test_half_a_character_is_refused_where_it_cannot_be_written() -> None:
    note = AnnotatedNote.of("N1", "a\ud83d", with_steady_ids([Span.of("a\ud83d", "grade", 0, 2)]))
    assert read_jsonl(write_jsonl([note])) == [note]
    for form in ("docbin", "brat", "csv"):
        with pytest.raises(DataError, match="half a character"):
            write_form(form, [note])


def test_an_unknown_form_and_a_missing_spacy(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="no form 'xml'"):
        write_form("xml", [])
    monkeypatch.setitem(__import__("sys").modules, "medomicslab_nb.text.exchange.docbin", None)
    with pytest.raises(MissingExtraError, match="text"):
        write_form("docbin", [])


# -- a study ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    yield create_study(tmp_path / "study")
    while OPENED:
        OPENED.pop().close()


OPENED: list[Annotations] = []
NOTES = [NoteText("N/1", TEXT, language="fr"), NoteText("N/2", "Rien.")]


def _opened(study: Study, name: str = "Anne") -> Annotations:
    OPENED.append(open_annotations(study, name))
    return OPENED[-1]


def _said(annotations: Annotations) -> list[Any]:
    return [(span.attribute, span.start, span.end, span.value, span.context, span.status)
            for span in annotations.note("N/1", TEXT).spans]


@pytest.mark.parametrize("form", FORMS)
def test_another_study_takes_in_what_was_exported(study: Study, tmp_path: Path, form: str) -> None:
    anne = _opened(study)
    take_in(anne, [replace(example_note(), spans=example_note().spans[:4])], NOTES)
    content = write_form(form, annotated_notes(anne, NOTES))
    other = _opened(create_study(tmp_path / "other"), "Ben")
    read = [replace(each, note="N/1") for each in read_form(form, content)]  # the number, in a foreign DocBin
    assert take_in(other, read, NOTES) == 4
    assert [said[:5] for said in _said(other)] == [said[:5] for said in _said(anne)]
    assert take_in(other, read, NOTES) == 0  # again: nothing is there twice
    assert _said(read_annotations(Study(tmp_path / "other"), "Ben")) == _said(other)


def test_suggestions_without_an_answer_are_not_exported(study: Study) -> None:
    anne = _opened(study)
    work = anne.note("N/1", TEXT)
    work.suggest([example_note().spans[5]])
    assert annotated_notes(anne, NOTES) == []
    work.put(example_note().spans[0])
    assert [span.text for span in annotated_notes(anne, NOTES)[0].spans] == ["T2"]


@pytest.mark.parametrize("notes, fault", [
    ([NOTES[1]], "not in this study"), ([NoteText("N/1", TEXT + " "), NOTES[1]], "not the one that was annotated")])
def test_one_wrong_note_and_nothing_is_imported(study: Study, notes: list[NoteText], fault: str) -> None:
    good = AnnotatedNote.of("N/2", "Rien.", with_steady_ids([Span.of("Rien.", "grade", 0, 4)]))
    anne = _opened(study)
    with pytest.raises(DataError, match=fault):
        take_in(anne, [good, example_note()], notes)
    assert anne.notes == []


def test_an_answer_that_is_there_is_not_overwritten(study: Study) -> None:
    anne = _opened(study)
    anne.note("N/1", TEXT).put(replace(example_note().spans[0], status=REJECTED))
    assert take_in(anne, [example_note()], NOTES) == 5
    assert anne.note("N/1", TEXT).span(example_note().spans[0].id).status == REJECTED


def test_the_text_of_several_of_one_identifier_that_was_annotated(study: Study) -> None:
    anne = _opened(study)
    assert take_in(anne, [example_note()], [NoteText("N/1", "Other."), *NOTES]) == 6
    assert len(_said(anne)) == 6
