"""Annotations: what was said is there again, whatever happens to the process that wrote it down."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.text import annotation_journal, annotations
from medomicslab_nb.text.annotations import FOLDER, annotators, everybody, open_annotations, read_annotations
from medomicslab_nb.text.note_work import NoteWork
from medomicslab_nb.text.span import ACCEPTED, CONTEXTS, REJECTED, SUGGESTED, Relation, Span

REPOSITORY = Path(__file__).parents[2]
TEXT = "🙂 E\u0301tude : tumeur T2a, grade 2, pas de métastase. <script>alert(1)</script>\r\nFin."
T2A = TEXT.index("T2a")


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    for opened in list(annotations._OPEN.values()):
        opened.close()


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return create_study(tmp_path / "study")


def suggestion(start: int = T2A, end: int = T2A + 3, value: str = "T2a") -> Span:
    return Span.of(TEXT, "t_category", start, end, value=value, rule="tnm", rule_version="1")


def said(work: NoteWork) -> tuple[Any, ...]:
    """What stands, without times and without identifiers that are drawn."""
    return ([replace(span, time="") for span in work.spans], sorted(work.relations, key=lambda each: each.id),
            work.done, work.can_undo, work.can_redo)


def reopened(study: Study, text: str = TEXT, note: str = "N-1") -> NoteWork:
    return read_annotations(study, "Anne").note(note, text)


def test_every_field_and_every_answer_is_there_again(study: Study) -> None:
    opened = open_annotations(study, "Anne")
    work = opened.note("N-1", TEXT)
    work.suggest([suggestion(), suggestion(T2A, T2A + 1, "TX")])
    accepted, other = work.spans
    work.put(replace(accepted, status=ACCEPTED, context=("negated", "history"), unit="u", qualifier="p"))
    work.put(replace(other, status=REJECTED))
    grade = TEXT.index("grade 2")
    added = Span.of(TEXT, "grade", grade, grade + 7, value="2", context=["uncertain"])
    work.put(added)
    made = work.relate("of", added.id, accepted.id)
    work.mark_done(True)
    again = reopened(study)
    assert said(again) == said(work)
    assert again.relations == [made]
    assert [span.status for span in again.spans] == ["accepted", "rejected", "added"]
    assert [TEXT[span.start:span.end] for span in again.spans] == ["T2a", "T", "grade 2"]
    assert again.holding == [again.spans[0], again.spans[2]]
    assert again.done
    assert all(span.time for span in again.spans)


def test_undo_and_redo_are_remembered(study: Study) -> None:
    opened = open_annotations(study, "Anne")
    work = opened.note("N-1", TEXT)
    work.suggest([suggestion()])
    first = work.spans[0]
    work.put(replace(first, status=ACCEPTED))
    work.put(added := Span.of(TEXT, "grade", 0, 1))
    work.relate("of", added.id, first.id)
    assert (work.undo(), work.undo()) == (True, True)
    opened.close()
    opened = open_annotations(study, "Anne")
    work = opened.note("N-1", TEXT)
    assert [span.status for span in work.spans] == ["accepted"]
    assert (work.redo(), work.redo(), work.redo()) == (True, True, False)
    assert len(work.relations) == 1
    assert (work.undo(), work.undo(), work.undo(), work.undo()) == (True, True, True, False)
    assert [span.status for span in work.spans] == [SUGGESTED], "a suggestion is no act of the annotator"
    assert opened.note("N-2", TEXT).undo() is False, "undo concerns the note that is shown only"


def test_letters_of_one_value_are_undone_together(study: Study) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    work.put(span := Span.of(TEXT, "grade", 0, 1))
    work.put(replace(span, value="1"))
    for value in ("12", "123"):
        work.put(replace(span, value=value), amend=True)
    assert reopened(study).spans[0].value == "123"
    assert work.undo()
    assert (work.spans[0].value, reopened(study).spans[0].value) == ("", "")
    assert work.redo()
    assert reopened(study).spans[0].value == "123"


def test_changed_text_makes_work_stale_and_never_loses_it(study: Study) -> None:
    opened = open_annotations(study, "Anne")
    opened.note("N-1", TEXT).put(Span.of(TEXT, "grade", 0, 1, value="1"))
    other = "x" + TEXT
    changed = opened.note("N-1", other)
    assert changed.spans == []
    assert [span.value for span in changed.stale] == ["1"]
    changed.put(Span.of(other, "grade", 1, 2, value="2"))
    assert [span.value for span in reopened(study).spans] == ["1"]
    assert [span.value for span in reopened(study).stale] == ["2"]
    assert [span.value for span in reopened(study, other).stale] == ["1"]
    assert reopened(study, note="N-2").stale == []


def test_suggestions_are_replaced_until_they_are_answered(study: Study) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    first, second, third = suggestion(), suggestion(0, 1, "TX"), suggestion(2, 3, "T4")
    work.suggest([first, second, third])
    work.put(replace(work.span(first.id), status=REJECTED))
    work.put(replace(work.span(third.id), value="T3", end=6, text=TEXT[2:6], status="edited"))
    work.suggest([replace(first, rule_version="2"), third, suggestion(4, 5, "T1")])
    assert [(span.start, span.status, span.rule_version) for span in work.spans] == [
        (2, "edited", "1"), (4, "suggested", "1"), (T2A, "rejected", "1")]
    before = (study.path / FOLDER / "anne.jsonl").read_bytes()
    work.suggest([suggestion(4, 5, "T1")])
    assert (study.path / FOLDER / "anne.jsonl").read_bytes() == before, "the same ones again say nothing new"


def test_rejected_and_removed_spans_take_their_relations_along(study: Study) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    one, two, three = (Span.of(TEXT, "grade", place, place + 1) for place in range(3))
    work.put(one, two, three)
    work.relate("of", one.id, two.id)
    work.relate("of", two.id, three.id)
    work.put(replace(one, status=REJECTED))
    assert [each.source for each in work.relations] == [two.id]
    work.remove(three.id)
    assert work.relations == []
    assert (work.undo(), work.undo()) == (True, True)
    assert len(work.relations) == 2


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 3), (4, 2), (0, len(TEXT) + 1), (len(TEXT), len(TEXT) + 1)])
def test_span_outside_the_note_is_refused(start: int, end: int) -> None:
    with pytest.raises(DataError, match="empty or lies outside"):
        Span.of(TEXT, "grade", start, end)


def test_span_that_says_something_else_is_refused(study: Study) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    good = Span.of(TEXT, "grade", 0, 1)
    for bad in (replace(good, text="x"), replace(good, status="perhaps"), replace(good, attribute=""),
                replace(good, context=("history", "negated")), replace(good, context=("never",)), replace(good, id="")):
        with pytest.raises(DataError) as found:
            work.put(bad)
        assert "tumeur" not in str(found.value), "a note's words stay out of messages"
    with pytest.raises(DataError, match="no context 'never'"):
        Span.of(TEXT, "grade", 0, 1, context=["never"])
    with pytest.raises(DataError, match="two different spans"):
        work.put(good)
        work.relate("of", good.id, good.id)
    with pytest.raises(DataError, match="no such span"):
        work.relate("of", good.id, "nobody")
    assert [span.id for span in work.spans] == [good.id]


def test_53_note_without_text_has_no_spans(study: Study) -> None:
    work = open_annotations(study, "Anne").note("N-1", "")
    work.suggest([])
    work.mark_done(True)
    assert (reopened(study, "").spans, reopened(study, "").done) == ([], True)
    with pytest.raises(DataError):
        Span.of("", "grade", 0, 0)


# -- several people and processes ------------------------------------------------------------------------------------


def test_everybody_is_read_while_somebody_writes(study: Study) -> None:
    anne, zoe = open_annotations(study, "Anne"), open_annotations(study, "Zoë O'Neil-2")
    anne.note("N-1", TEXT).put(Span.of(TEXT, "grade", 0, 1))
    zoe.note("N-1", TEXT).suggest([suggestion()])
    assert annotators(study) == ["Anne", "Zoë O'Neil-2"]
    assert list(everybody(study, "N-1", TEXT)) == ["Anne"], "who has given no answer has said nothing"
    zoe.note("N-1", TEXT).mark_done(True)
    assert list(everybody(study, "N-1", TEXT)) == ["Anne", "Zoë O'Neil-2"]
    assert read_annotations(study, "nobody").notes == []
    assert not (study.path / FOLDER / "nobody.jsonl").exists()


@pytest.mark.parametrize("name", ["../other", "..", ".", "", "  ", "a/b", "a\\b", "/etc/x", "a\0b", "~", ".hidden",
                                  "con", "NUL.x", "x" * 65, "a\nb", "a:b", "-a", "a."])
def test_85_name_of_an_annotator_is_no_path(study: Study, name: str) -> None:
    with pytest.raises(StudyError, match="cannot be the name of an annotator") as found:
        open_annotations(study, name)
    assert name.strip() in ("", ".") or name.strip() not in str(found.value)
    with pytest.raises(StudyError):
        read_annotations(study, name)
    assert sorted(path.name for path in study.path.parent.iterdir()) == ["study"]


def test_86_link_out_of_the_study_is_refused(study: Study, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (study.path / "notes").mkdir(exist_ok=True)
    (study.path / FOLDER).symlink_to(outside)
    with pytest.raises(StudyError, match="link out of the study"):
        open_annotations(study, "Anne")
    assert list(outside.iterdir()) == []


def test_name_in_other_letters_is_the_same_file_and_refused(study: Study) -> None:
    open_annotations(study, "Zoe\u0308").close()
    open_annotations(study, "Zo\u00eb").close()
    with pytest.raises(StudyError, match="spelt otherwise"):
        open_annotations(study, "zoë")
    open_annotations(study, "Zoë").close()


def test_newest_of_one_process_goes_on(study: Study) -> None:
    older = open_annotations(study, "Anne")
    newer = open_annotations(study, "Anne")
    newer.note("N-1", TEXT).mark_done(True)
    assert not older.writable
    with pytest.raises(StudyError, match="not open for writing here"):
        older.note("N-1", TEXT).mark_done(True)
    with pytest.raises(StudyError, match="not open for writing here"):
        reopened(study).mark_done(False)
    assert reopened(study).done


def started(study: Study, code: str) -> subprocess.Popen[str]:
    """Another process that opens Anne's annotations, runs code and then waits."""
    program = ("import sys; from medomicslab_nb.study import open_study\n"
               "from medomicslab_nb.text.annotations import open_annotations\n"
               "from tests.text.test_annotations import *\n"
               f"opened = open_annotations(open_study(sys.argv[1]), 'Anne')\n{code}\nprint('ready', flush=True)\n"
               "sys.stdin.read()")
    return subprocess.Popen([sys.executable, "-c", program, str(study.path)], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)


def test_second_process_is_refused_until_the_first_one_ends(study: Study) -> None:
    other = started(study, "opened.note('N-1', TEXT).mark_done(True)")
    assert other.stdout.readline().strip() == "ready"
    with pytest.raises(StudyError, match="open in another notebook") as found:
        open_annotations(study, "Anne")
    assert "another name" in str(found.value)
    assert reopened(study).done, "reading is free"
    other.kill()
    other.wait()
    open_annotations(study, "Anne").note("N-1", TEXT).mark_done(False)
    assert not reopened(study).done
    other.stdin.close()
    other.stdout.close()


# -- crashes ---------------------------------------------------------------------------------------------------------


def test_62_killed_after_200_random_actions_all_are_there(study: Study) -> None:
    code = "act(opened, 200, 7, tell=lambda done: print(done, flush=True))"
    other = started(study, code)
    for number in range(200):
        assert other.stdout.readline().strip() == str(number)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    other.stdin.close()
    other.stdout.close()
    found = read_annotations(study, "Anne")
    kept = create_study(study.path.parent / "kept")
    expected = open_annotations(kept, "Anne")
    act(expected, 200, 7)
    lines = (study.path / FOLDER / "anne.jsonl").read_bytes().splitlines()
    assert len(lines) == 201
    for note in ("A", "B"):
        assert faces(found.note(note, TEXT)) == faces(expected.note(note, TEXT))
        assert faces(found.note(note, TEXT))[0], "there is something to compare"


def faces(work: NoteWork) -> tuple[Any, ...]:
    """What stands, without what is drawn anew in each process."""
    return ([replace(span, id="", time="") for span in work.spans],
            sorted((each.kind, work.span(each.source).start, work.span(each.target).start) for each in work.relations),
            work.done, work.can_undo, work.can_redo)


def act(opened: Any, count: int, seed: int, tell: Any = lambda done: None) -> None:
    """Random actions, each of which says something; the same ones for the same seed."""
    import random

    draw = random.Random(seed)
    for done in range(count):
        work = opened.note(draw.choice("AB"), TEXT)
        choices = ["add", "done"] + ["accept", "reject", "context", "remove"] * bool(work.spans)
        choices += ["undo"] * work.can_undo + ["redo"] * work.can_redo + ["relate"] * (len(work.spans) > 1)
        one_act(work, draw.choice(choices), draw)
        tell(done)


def one_act(work: NoteWork, what: str, draw: Any) -> None:
    start = draw.randrange(len(TEXT) - 5)
    span = draw.choice(work.spans) if work.spans else None
    context = tuple(name for name in CONTEXTS if draw.random() < 0.3)
    added = Span.of(TEXT, draw.choice(["grade", "stage"]), start, start + draw.randint(1, 5))
    ends = [one.id for one in draw.sample(work.spans, 2)] if len(work.spans) > 1 else []
    acts = {"add": lambda: work.put(added), "done": lambda: work.mark_done(not work.done),
            "accept": lambda: work.put(replace(span, status=ACCEPTED)), "remove": lambda: work.remove(span.id),
            "reject": lambda: work.put(replace(span, status=REJECTED)), "undo": work.undo, "redo": work.redo,
            "context": lambda: work.put(replace(span, context=context)),
            "relate": lambda: work.relate(f"of {draw.random()}", *ends)}
    acts[what]()


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_last_record_that_was_cut_off_is_dropped(study: Study, cut: int) -> None:
    opened = open_annotations(study, "Anne")
    for value in "123":
        opened.note("N-1", TEXT).put(Span.of(TEXT, "grade", int(value), 9, value=value))
    opened.close()
    path = study.path / FOLDER / "anne.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    assert [span.value for span in reopened(study).spans] == ["1", "2"]
    opened = open_annotations(study, "Anne")
    opened.note("N-1", TEXT).put(Span.of(TEXT, "grade", 4, 9, value="4"))
    assert [span.value for span in reopened(study).spans] == ["1", "2", "4"]


def test_69_wherever_writing_stops_what_was_confirmed_before_is_there(study: Study) -> None:
    opened = open_annotations(study, "Anne")
    work, path = opened.note("A", TEXT), study.path / FOLDER / "anne.jsonl"
    states = {path.stat().st_size: said(work)}  # after each confirmed action
    for number in range(6):
        act_once = [lambda: work.put(Span.of(TEXT, "grade", 0, 1)), lambda: work.mark_done(True), work.undo][number % 3]
        act_once()
        states[path.stat().st_size] = said(work)
    opened.close()
    content = path.read_bytes()
    for size in range(min(states), len(content) + 1):
        path.write_bytes(content[:size])
        assert said(reopened(study, note="A")) == states[max(end for end in states if end <= size)]


@pytest.mark.parametrize("kept", [0, 1, 30])
def test_journal_that_was_cut_off_at_its_very_beginning_is_begun_anew(study: Study, kept: int) -> None:
    open_annotations(study, "Anne").close()
    path = study.path / FOLDER / "anne.jsonl"
    path.write_bytes(path.read_bytes()[:kept])
    assert annotators(study) == []
    open_annotations(study, "Anne").note("N-1", TEXT).mark_done(True)
    assert reopened(study).done


def test_damage_before_the_end_is_told_and_nothing_is_written(study: Study) -> None:
    opened = open_annotations(study, "Anne")
    for place in range(3):
        opened.note("N-1", TEXT).put(Span.of(TEXT, "grade", place, 9))
    opened.close()
    path = study.path / FOLDER / "anne.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([lines[0], lines[1], lines[2].replace(b"grade", b"grape"), lines[3]])
    path.write_bytes(damaged)
    for act_on_it in (open_annotations, read_annotations):
        with pytest.raises(StudyError, match=r"line 3 is damaged.*Restore"):
            act_on_it(study, "Anne")
    assert path.read_bytes() == damaged


@pytest.mark.parametrize(("head", "message"), [
    (b'{"format":"other"}\n', "no file of annotations"), (b"hello\n", "no file of annotations"),
    (b"[1]\n", "no file of annotations"),
    (b'{"format":"medomicslab_nb/annotations","format_version":99,"annotator":"Anne"}\n', "newer than this program")])
def test_foreign_file_is_refused_and_kept(study: Study, head: bytes, message: str) -> None:
    path = study.path / FOLDER / "anne.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(head)
    for act_on_it in (open_annotations, read_annotations):
        with pytest.raises(StudyError, match=message):
            act_on_it(study, "Anne")
    assert path.read_bytes() == head


def test_64_full_disk_changes_nothing_and_the_next_action_is_stored(study: Study, monkeypatch: pytest.MonkeyPatch,
                                                                     ) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    work.put(Span.of(TEXT, "grade", 0, 1))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(annotation_journal.os, "fsync", full)
        with pytest.raises(StudyError, match=r"could not be stored: No space left.*Make room"):
            work.mark_done(True)
    assert not work.done
    assert not reopened(study).done
    work.put(Span.of(TEXT, "grade", 1, 2))
    assert said(reopened(study)) == said(work)


def test_every_action_is_flushed_to_the_disk(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    work = open_annotations(study, "Anne").note("N-1", TEXT)
    synced = []
    monkeypatch.setattr(annotation_journal.os, "fsync", synced.append)
    work.suggest([suggestion()])
    work.put(Span.of(TEXT, "grade", 0, 1))
    work.undo()
    work.redo()
    work.mark_done(True)
    assert len(synced) == 5


def test_golden_file_of_version_1_opens(study: Study) -> None:
    path = study.path / FOLDER / "anne.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes((Path(__file__).parent / "annotations_v1.jsonl").read_bytes())
    work = reopened(study)
    assert [(span.attribute, span.start, span.text, span.value, span.context, span.status) for span in work.spans] == [
        ("grade", 0, "🙂", "2", ("negated",), "added"), ("t_category", T2A, "T2a", "T2a", (), "accepted")]
    assert [(each.kind, each.source, each.target) for each in work.relations] == [
        ("of", work.spans[0].id, work.spans[1].id)]
    assert (work.done, work.can_undo, work.can_redo) == (True, True, False)


# -- any actions against a plain model -------------------------------------------------------------------------------


class Model:
    """What the store must do, with whole copies in memory."""

    def __init__(self) -> None:
        self.now: dict[str, Any] = {"spans": {}, "relations": {}, "done": False}
        self.before: list[Any] = []
        self.after: list[Any] = []

    def act(self, change: Any) -> None:
        old = copy.deepcopy(self.now)
        change(self.now)
        if self.now != old:
            self.before.append(old)
            self.after.clear()

    def put(self, span: Span) -> None:
        def change(now: dict[str, Any]) -> None:
            now["spans"][span.id] = span
            if span.status == REJECTED:
                self.unlink(now, span.id)
        self.act(change)

    def remove(self, identifier: str) -> None:
        def change(now: dict[str, Any]) -> None:
            del now["spans"][identifier]
            self.unlink(now, identifier)
        self.act(change)

    @staticmethod
    def unlink(now: dict[str, Any], identifier: str) -> None:
        now["relations"] = {key: each for key, each in now["relations"].items()
                            if identifier not in (each.source, each.target)}

    def turn(self, source: list[Any], target: list[Any]) -> None:
        if source:
            target.append(self.now)
            self.now = source.pop()

    def said(self) -> tuple[Any, ...]:
        spans = sorted(self.now["spans"].values(),
                       key=lambda span: (span.start, -span.end, span.attribute, span.value, span.id))
        return (spans, sorted(self.now["relations"].values(), key=lambda each: each.id), self.now["done"],
                bool(self.before), bool(self.after))


PLACES = st.integers(0, len(TEXT) - 1)
ACTS = st.lists(st.one_of(
    st.tuples(st.just("add"), PLACES, st.integers(1, 9), st.sets(st.sampled_from(CONTEXTS))),
    st.tuples(st.just("answer"), st.integers(0, 9), st.sampled_from([ACCEPTED, REJECTED, "edited"]),
              st.text(max_size=3)),
    st.tuples(st.just("remove"), st.integers(0, 9)),
    st.tuples(st.just("relate"), st.integers(0, 9), st.integers(0, 9)),
    st.tuples(st.just("unrelate"), st.integers(0, 9)),
    st.tuples(st.just("done"), st.booleans()), st.tuples(st.just("undo")), st.tuples(st.just("redo")),
    st.tuples(st.just("close"))), max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
def test_any_actions_equal_a_plain_model_after_reopening(acts: list[tuple[Any, ...]], tmp_path_factory: Any) -> None:
    study = create_study(tmp_path_factory.mktemp("any") / "study")
    opened, model = open_annotations(study, "Anne"), Model()
    for act_of_it in acts:
        if act_of_it[0] == "close":
            opened.close()
            opened = open_annotations(study, "Anne")
        else:
            both(opened.note("N-1", TEXT), model, *act_of_it)
        assert said(opened.note("N-1", TEXT)) == model.said()
    opened.close()
    assert said(reopened(study)) == model.said()


def both(work: NoteWork, model: Model, what: str, *values: Any) -> None:
    """The same act in the store and in the model; one that names a span that is not there does nothing."""
    spans, relations = model.said()[:2]
    if what == "add":
        place, length, context = values
        made = Span.of(TEXT, "grade", place, min(place + length, len(TEXT)), context=context)
        work.put(made)
        model.put(made)
    elif what == "answer" and values[0] < len(spans):
        made = replace(spans[values[0]], status=values[1], value=values[2])
        if made != spans[values[0]]:
            work.put(made)
            model.put(made)
    elif what == "remove" and values[0] < len(spans):
        work.remove(spans[values[0]].id)
        model.remove(spans[values[0]].id)
    elif what == "relate" and max(values) < len(spans) and values[0] != values[1]:
        made_link = work.relate("of", spans[values[0]].id, spans[values[1]].id)
        assert made_link == Relation("of", spans[values[0]].id, spans[values[1]].id, made_link.id)
        model.act(lambda now: now["relations"].__setitem__(made_link.id, made_link))
    elif what == "unrelate" and values[0] < len(relations):
        work.unrelate(relations[values[0]].id)
        model.act(lambda now: now["relations"].pop(relations[values[0]].id))
    elif what == "done":
        work.mark_done(values[0])
        model.act(lambda now: now.__setitem__("done", values[0]))
    elif what == "undo":
        work.undo()
        model.turn(model.before, model.after)
    elif what == "redo":
        work.redo()
        model.turn(model.after, model.before)


def test_journal_is_lines_of_json(study: Study) -> None:
    open_annotations(study, "Anne").note("N-1", TEXT).put(Span.of(TEXT, "grade", 0, 1))
    head, line = (study.path / FOLDER / "anne.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(head) == {"format": "medomicslab_nb/annotations", "format_version": 1, "annotator": "Anne"}
    action = json.loads(line)["action"]
    assert (action["do"], action["note"]) == ("change", "N-1")
    assert TEXT not in line, "a note's text stays in its table; the journal holds the words of spans only"
