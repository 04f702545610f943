"""The series of a folder or archive as cards with thumbnails, to choose what comes into the study.

Patients and descriptions are sent to whoever looks; they never stand in synced state, which notebooks may keep.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import traitlets

from medomicslab_nb.data.adding import add_images
from medomicslab_nb.data.archives import is_archive, unpack
from medomicslab_nb.data.image_choice import Choice, choose
from medomicslab_nb.data.image_list import is_volume_folder, list_volume_folder, read_image_list
from medomicslab_nb.data.image_scan import ImageScan, scan_folder
from medomicslab_nb.data.images import ImportReport, import_dicom
from medomicslab_nb.errors import DataError, MedomicsError, ProtectionError
from medomicslab_nb.progress import Progress
from medomicslab_nb.protect import scrub
from medomicslab_nb.pseudonyms import Key, read_key, refuse_identified
from medomicslab_nb.study import Study
from medomicslab_nb.views.answers import Answers, Question
from medomicslab_nb.views.background import Background
from medomicslab_nb.views.language import text
from medomicslab_nb.views.scan_cards import cards, counted, matching, report_lines
from medomicslab_nb.views.thumbnails import Thumbnails
from medomicslab_nb.views.widget import Widget

CARDS_AT_ONCE = 500


class ScanPicker(Widget, module="scan_picker"):
    """Scans a folder or archive in the background, shows what it holds, adds what is chosen.

    Nothing is written into the study before something is added. What is chosen lives in the browser.

    Parameters
    ----------
    study : Study
    on_added : callable
        Called after images were added, in a thread.

    Attributes
    ----------
    state : dict
        Of the work under way or last done; see :class:`Background`.
    found : dict
        How much the scan found: numbers only.
    """

    state = traitlets.Dict().tag(sync=True)
    found = traitlets.Dict().tag(sync=True)

    def __init__(self, study: Study, on_added: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.study = study
        self._on_added = on_added
        self._source: Path | None = None
        self._scan: ImageScan | None = None
        self._listed = ""
        self._cards: list[dict[str, Any]] = []
        self._report: list[str] = []
        self._unpacked: list[Path] = []
        self._background = Background(self._tell)
        self._thumbnails = Thumbnails(self)
        self._answers = Answers(self, {"cards": self._send_cards, "match": self._match, "add": self._add,
                                       "told": self._told}, {"cancel": self._cancel, "pictures": self._pictures})
        weakref.finalize(self, _remove, self._unpacked)

    def scan(self, source: Path) -> None:
        """Look through a folder, an archive or a list of volumes, in a thread.

        Raises
        ------
        DataError
            Another scan, or an import, is under way.
        """
        if self._background.busy:
            raise DataError("a scan or an import is under way", where="images", todo="Wait for its end, or cancel it")
        self._source, self._scan, self._cards, self._listed, self._report = source, None, [], "", []
        self.found = {}
        self._background.start("scan", lambda progress: self._look(source, progress))

    def wait(self, timeout_s: float = 60) -> None:
        """Until what is under way has ended."""
        self._background.join(timeout_s)

    # -- in the thread of the work ------------------------------------------------------------------------------------

    def _look(self, source: Path, progress: Progress) -> None:
        folder = self._opened(source, progress)
        if folder.is_file() or is_volume_folder(folder):
            self._list(folder)
            return
        found = scan_folder(folder, progress)
        if not found.series:
            raise DataError("there are no DICOM images in it", where=scrub(source.name, self.study.identifiers()),
                            todo="Choose the folder of a DICOM export, or one of NIfTI files")
        self._cards = cards(found)
        self._thumbnails.show(found)
        self._scan = found
        self.found = {**counted(found), "cards": len(self._cards)}

    def _opened(self, source: Path, progress: Progress) -> Path:
        """The folder itself, or an archive's content in a temporary folder: nothing is in the study yet."""
        _remove(self._unpacked)
        if not is_archive(source):
            return source
        folder = Path(tempfile.mkdtemp(prefix="medomicslab-scan-"))
        self._unpacked.append(folder)
        return unpack(source, folder / "content", progress)

    def _list(self, source: Path) -> None:
        """Volumes that a list or a layout of folders names: all of them are added together."""
        listed = list_volume_folder(source) if source.is_dir() else read_image_list(source, self.study.id_column)
        patients = len({one.patient for one in listed})
        self._listed = text("listed_volumes", n=len(listed), patients=patients)
        self.found = {"patients": patients, "series": len(listed), "modalities": {}, "rois": 0, "cards": 0,
                      "listed": True}

    def _import(self, source: Path, choice: Choice | None, key: Key | None, progress: Progress) -> None:
        known = self.study.identifiers() | {one.patient_id for one in self._scan.series} if self._scan \
            else self.study.identifiers()
        try:
            report = self._stored(source, choice, key, progress)
        except MedomicsError as error:
            raise error.mapped(lambda words: scrub(words, known)) from None
        self._report = [scrub(line, known) for line in report_lines(report)]
        self._on_added()

    def _stored(self, source: Path, choice: Choice | None, key: Key | None, progress: Progress) -> ImportReport:
        if choice is None:
            return add_images(self.study, source, deidentify=key, progress=progress)
        return import_dicom(self.study, source, choice=choice, deidentify=key, progress=progress)

    def _tell(self, state: dict[str, Any]) -> None:
        self.state = state

    # -- questions ----------------------------------------------------------------------------------------------------

    def _send_cards(self, question: Question) -> Mapping[str, Any]:
        start = max(0, int(question.get("start", 0)))
        left_out = [] if self._scan is None else _summed(self._scan)
        return {"cards": self._cards[start:start + CARDS_AT_ONCE], "total": len(self._cards), "listed": self._listed,
                "left_out": left_out, "warning": self._warning(), "source": "" if self._source is None
                else str(self._source)}

    def _warning(self) -> str:
        """What would be refused at the end is said at the beginning."""
        if self._scan is None:
            return ""
        try:
            refuse_identified(self.study.path, {one.patient_id for one in self._scan.series},
                              self.study.identifiers())
        except ProtectionError as error:
            return str(error)
        return ""

    def _match(self, question: Question) -> Mapping[str, Any]:
        patterns = [part.strip() for part in str(question.get("pattern", "")).split(",") if part.strip()]
        return {"rois": {} if self._scan is None or not patterns else matching(self._scan, patterns)}

    def _add(self, question: Question) -> Mapping[str, Any]:
        """Start the import of what the question names; how it goes on is told by :attr:`state`."""
        path, found = str(question.get("key_file", "")).strip(), self._scan
        key = read_key(path) if path else None
        source = self._source
        if source is None or (found is None and not self._listed):
            raise DataError("nothing was scanned", where="images", todo="Choose a folder first")
        choice = None if found is None else chosen(found, question.get("chosen", {}))
        return {"started": self._background.start(
            "add", lambda progress: self._import(source, choice, key, progress))}

    def _told(self, _: Question) -> Mapping[str, Any]:
        return {"fault": scrub(self._background.fault, self.study.identifiers()), "report": self._report}

    def _cancel(self, _: Question) -> Mapping[str, Any]:
        self._background.cancel()
        return {}

    def _pictures(self, question: Question) -> Mapping[str, Any]:
        self._thumbnails.want(str(question.get("token")), [str(key) for key in question.get("keys", ())])
        return {}


def chosen(found: ImageScan, given: Mapping[str, Any]) -> Choice:
    """The choice that the browser sends: keys of cards, with places of ROIs.

    Raises
    ------
    DataError
        Nothing was chosen, or a card that cannot be used.
    """
    usable = {card["key"] for card in cards(found) if card["usable"]}
    if not given or not usable.issuperset(given):
        raise DataError("nothing was chosen that can be used", where="images", todo="Mark the cards of some series")
    series = {int(key[1:]): [int(place) for place in places] for key, places in given.items() if key[0] == "s"}
    return choose(found, series, [int(key[1:]) for key in given if key[0] == "d"])


def _summed(found: ImageScan) -> list[str]:
    counts = found.rejected["reason"].value_counts()
    return [text("report_left_out", n=int(n), reason=reason) for reason, n in counts.head(20).items()]


def _remove(folders: list[Path]) -> None:
    while folders:
        shutil.rmtree(folders.pop(), ignore_errors=True)
