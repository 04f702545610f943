"""What people say of a study's notes: spans, relations and finished notes, one journal an annotator.

``study/notes/annotations/ANNOTATOR.jsonl`` is an append-only journal (see
:mod:`medomicslab_nb.text.annotation_journal`): every action is on the disk when its call returns, undo and redo are
actions too, and a process that is killed loses nothing. One process writes a journal at a time; anybody may read.

Writing one annotator's work (:class:`medomicslab_nb.text.span.Span`, :class:`medomicslab_nb.text.note_work.NoteWork`)::

    mine = open_annotations(study, "Anne")            # locks; mine.close() when done
    work = mine.note("N-17", text)                    # of one note, as its text is now
    work.suggest([Span.of(text, "t_category", 9, 12, value="T2a", rule="tnm")])   # pre-annotations, nobody's answer
    work.put(replace(work.spans[0], status=ACCEPTED))  # accept, edit, reject, add: any spans in one action
    work.put(Span.of(text, "grade", 20, 27, value="2"))           # a new one
    work.relate("of", source_id, target_id); work.remove(span_id); work.mark_done(True)
    work.undo(); work.redo()                          # of this note

Reading everybody's::

    for annotator in annotators(study):
        work = read_annotations(study, annotator).note("N-17", text)   # work.spans, work.relations, work.done
    everybody(study, "N-17", text)                    # {annotator: NoteWork}, those without any work left out

Offsets count code points of the note's text as stored: ``text[span.start:span.end] == span.text``, always. Work belongs
to a note's identifier *and* the sha256 of its text: where the text has changed since, the work is in
:meth:`NoteWork.stale` and in no other place. Spans may overlap. A rejected pre-annotation stays, as rejected.
"""

from __future__ import annotations

import re
import threading
import unicodedata
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout

from medomicslab_nb.errors import StudyError
from medomicslab_nb.study import Study
from medomicslab_nb.text.annotation_journal import Action, AnnotationJournal, read_journal
from medomicslab_nb.text.note_work import Content, Key, NoteWork

FOLDER = "notes/annotations"
IDENTIFIERS = "notes/identifiers"
"""Folder of the journals in which identifiers of notes are reviewed, apart from what the notes say."""

_NAME = re.compile(r"\w(?:[\w .'\-]{0,62}\w)?")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no file names on Windows
_OPEN: dict[Path, Annotations] = {}  # of this process
_GUARD = threading.Lock()


class Annotations:
    """All the work of one annotator. Use :func:`open_annotations` or :func:`read_annotations`.

    Attributes
    ----------
    annotator : str
    """

    def __init__(self, annotator: str, actions: Iterable[Action], journal: AnnotationJournal | None = None,
                 lock: FileLock | None = None) -> None:
        self.annotator = annotator
        self._journal, self._lock = journal, lock
        self._writing = threading.Lock()
        self._contents: dict[Key, Content] = {}
        for action in actions:
            self._take(action)

    @property
    def notes(self) -> list[str]:
        """Identifiers of the notes that have been worked on, in alphabetical order."""
        return sorted({note for note, _ in self._contents})

    @property
    def writable(self) -> bool:
        """Whether actions can be added: it was opened for that, and nothing newer has taken it over."""
        return self._journal is not None

    def note(self, note: str, text: str) -> NoteWork:
        """The work on a note as its text is now; empty where there is none yet."""
        return NoteWork(note, text, self._contents, self._add)

    def close(self) -> None:
        """End writing, so that another process can begin."""
        with _GUARD:
            for path in [path for path, one in _OPEN.items() if one is self]:
                del _OPEN[path]
        with self._writing:
            if self._journal is not None:
                self._journal.close()
                self._journal = None
        if self._lock is not None:
            self._lock.release()

    def _add(self, action: Action) -> None:
        with self._writing:
            if self._journal is None:
                raise StudyError("these annotations are not open for writing here", where="annotations",
                                 todo="Go on where they were opened last, or open them again: nothing is lost")
            self._journal.add(action)
            self._take(action)

    def _take(self, action: Action) -> None:
        self._contents.setdefault((action["note"], action["sha256"]), Content()).take(action)


def annotators(study: Study, folder: str = FOLDER) -> list[str]:
    """Who has annotated notes of the study, in alphabetical order.

    Raises
    ------
    StudyError
        A journal is damaged.
    """
    return sorted(filter(None, (read_journal(path)[0] for path in (study.path / folder).glob("*.jsonl"))))


def read_annotations(study: Study, annotator: str, folder: str = FOLDER) -> Annotations:
    """All that an annotator has said until now; it cannot be written to. Empty for somebody unknown.

    Raises
    ------
    StudyError
        The journal is damaged; no name.
    """
    path = _path_of(study, annotator, folder)
    return Annotations(annotator, read_journal(path)[1] if path.exists() else [])


def everybody(study: Study, note: str, text: str) -> dict[str, NoteWork]:
    """The work of each annotator on a note, by name; those who have given no answer are left out."""
    works = {name: read_annotations(study, name).note(note, text) for name in annotators(study)}
    return {name: work for name, work in works.items() if work.begun}


def open_annotations(study: Study, annotator: str, folder: str = FOLDER) -> Annotations:
    """The work of an annotator, to be gone on with. In this process the one opened last goes on.

    Raises
    ------
    StudyError
        Another process has it open; the journal is damaged; a name that cannot be one of a file.
    """
    path = _path_of(study, annotator, folder)
    with _GUARD:
        before = _OPEN.get(path)
    if before is not None:
        before.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = _locked(path)
    try:
        journal = AnnotationJournal(path, _plain(annotator))
        opened = Annotations(_plain(annotator), journal.actions, journal, lock)
    except BaseException:
        lock.release()
        raise
    with _GUARD:
        _OPEN[path] = opened
    return opened


def _locked(path: Path) -> FileLock:
    # Released by whichever thread closes it; the system releases it when the process dies.
    lock = FileLock(path.with_name(f".{path.stem}.lock"), timeout=0, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        raise StudyError("the annotations of this name are open in another notebook or on another computer now",
                         where="annotations",
                         todo="Close it there (Kernel > Shut Down), or work under another name") from None
    return lock


def _plain(annotator: str) -> str:
    return unicodedata.normalize("NFC", annotator.strip())


def _path_of(study: Study, annotator: str, folder: str) -> Path:
    """The annotator's file, always in the study's own folder.

    Upper and lower case are one file wherever the study lies, so that it can be copied to a disk that does not tell
    them apart.
    """
    name = _plain(annotator)
    if not _NAME.fullmatch(name) or _RESERVED.fullmatch(name):
        raise StudyError("this cannot be the name of an annotator", where="annotations",
                         todo="Use letters, digits, spaces, dots, ' and -, at most 64, beginning and ending with a "
                              "letter or digit")
    path = study.path / folder / f"{name.casefold()}.jsonl"
    if not path.resolve().is_relative_to(study.path.resolve()):
        raise StudyError("the folder of annotations is a link out of the study", where=folder,
                         todo="Replace the link by the folder itself")
    return path
