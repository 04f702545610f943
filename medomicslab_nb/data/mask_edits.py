"""Edits of a ROI by hand: a draft in the study, stroke by stroke, and the new mask that is saved from it.

A draft is a folder ``images/drafts/KEY`` of a description (``draft.json``), the mask that it began with, and a journal
to which every stroke is appended and written through to the disk before the next one: a killed process or a closed tab
loses nothing. Strokes are linear indices of the image's voxels in LPS order (see
:class:`medomicslab_nb.imaging.orientation.Orientation`), (z*ny + y)*nx + x.

A saved mask is a new file ``images/masks/NAME.nii.gz`` on the image's own grid, with a note beside it that says who
made it, when and from what, and a new row of the study's table of images. Nothing is ever overwritten. The name of the
person stands in the note only.
"""

from __future__ import annotations

import datetime as dt
import re
import shutil
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from medomicslab_nb.data.image_table import image_frame, protocol_frame, store, stored
from medomicslab_nb.data.stroke_journal import Journal, Stroke
from medomicslab_nb.errors import DataError, StudyError
from medomicslab_nb.files import (
    FORMAT_PREFIX,
    canonical_json,
    read_document,
    sha256_json,
    sha256_of,
    write_bytes,
    write_folder,
    write_yaml,
)
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE, check_unchanged, reference_to, registration_of, resolve
from medomicslab_nb.imaging.masks import load_mask
from medomicslab_nb.imaging.orientation import Orientation
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.protect import identifiers_in
from medomicslab_nb.study import Study
from medomicslab_nb.tables import IMAGES

DRAFTS = "images/drafts"
MASKS = "images/masks"
DRAFT_VERSION = 1
MASK_VERSION = 1

_START, _JOURNAL, _DRAFT = "start.bin", "strokes.bin", "draft.json"
_LOCK_TIMEOUT_S = 60.0
_OPEN: dict[Path, Draft] = {}  # of this process
_GUARD = threading.Lock()


class Draft:
    """A mask that is being edited. Use :func:`open_draft`.

    Attributes
    ----------
    folder : Path
    row : mapping
        The row of the table of images whose image is edited on.
    mask : ndarray of bool, shape (z, y, x)
        As it is now, in LPS order.
    """

    def __init__(self, study: Study, folder: Path, row: Mapping[str, Any]) -> None:
        self.study, self.folder, self.row = study, folder, row
        self._closed = False
        # Released by whichever thread closes the draft.
        self._lock = FileLock(folder / ".lock", timeout=0, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout:
            raise StudyError("somebody else is editing this ROI now", where=f"draft of {row['roi'] or 'a new ROI'}",
                             todo="Wait until it is saved or closed, or edit another ROI") from None
        try:
            self._about = read_document(folder / _DRAFT, "draft", DRAFT_VERSION)
            self._geometry = Geometry.from_dict(self._about["geometry"])
            self._turn = Orientation.of(self._geometry)
            self._check_image()
            self.mask = self._start()
            self._journal = Journal(folder / _JOURNAL)
            for stroke in self._journal.done:
                self._apply(stroke)
        except BaseException:
            self._lock.release()
            raise

    @property
    def name(self) -> str:
        """The name that is proposed for the new ROI."""
        return str(self._about["name"])

    @property
    def roi(self) -> str:
        """The ROI that it began with; empty where it began empty."""
        return str(self._about["from"]["roi"])

    @property
    def strokes(self) -> int:
        """Strokes that count now, without those that were undone."""
        return len(self._journal.done)

    @property
    def can_undo(self) -> bool:
        return bool(self._journal.done)

    @property
    def can_redo(self) -> bool:
        return bool(self._journal.undone)

    def paint(self, indices: np.ndarray, value: bool, *, begin: bool, end: bool) -> None:
        """Set voxels; what is new in it is on the disk when this returns.

        Parameters
        ----------
        indices : ndarray of whole numbers
            Linear, in LPS order. Those that have the value already are passed over.
        value : bool
        begin, end : bool
            Whether a stroke begins or ends with it; one stroke may come in several parts.

        Raises
        ------
        DataError
            An index outside the image.
        StudyError
            A newer viewer has taken the draft over.
        """
        self._check_open()
        indices = np.unique(np.asarray(indices, dtype=np.int64))
        if indices.size and (indices[0] < 0 or indices[-1] >= self.mask.size):
            raise DataError("a stroke reaches beyond the image", where="mask edit", todo="Reload the viewer")
        flat = self.mask.reshape(-1)
        changed = indices[flat[indices] != value]
        self._journal.add(changed, value, begin=begin, end=end)
        flat[changed] = value

    def undo(self) -> bool:
        """Take the last stroke back; False when there is none."""
        self._check_open()
        stroke = self._journal.undo()
        if stroke is not None:
            self._apply(stroke, backwards=True)
        return stroke is not None

    def redo(self) -> bool:
        """Do the stroke again that was undone last; False when there is none."""
        self._check_open()
        stroke = self._journal.redo()
        if stroke is not None:
            self._apply(stroke)
        return stroke is not None

    def save(self, name: str, author: str, note: str = "") -> dict[str, Any]:
        """Store the mask as a new ROI of the image; the draft is at its end then.

        Parameters
        ----------
        name : str
            Of the new ROI.
        author : str
            Who made it; for the note beside the mask.
        note : str

        Returns
        -------
        dict
            The new row of the table of images.

        Raises
        ------
        DataError
            The name is empty, taken, or names a person; no author; an empty mask; the image has changed.
        """
        name, author = name.strip(), author.strip()
        self._check_open()
        self._check_image()
        if not author:
            raise DataError("no name of who made the edit was given", where="mask edit",
                            todo="Give your name; it is kept in a note beside the mask only")
        if not self.mask.any():
            raise DataError("the mask is empty", where="mask edit", todo="Paint something, or discard the draft")
        with _saving(self.study):
            self._check_name(name, author)
            path = self._write_mask()
            row = {**self.row, "roi": name, "mask": reference_to(self.study.path, path), "label": "1", "lesion": "",
                   "mask_sha256": sha256_of(path), "registration": "", "registration_sha256": "", "problem": ""}
            self._write_note(path, row, author, note)
            store(self.study, image_frame([row]), protocol_frame([]), "mask edit")
        if not self._closed:  # otherwise a newer viewer goes on with the draft
            self.discard()
        return row

    def discard(self) -> None:
        """Delete the draft.

        Raises
        ------
        StudyError
            A newer viewer has taken the draft over: it is its own.
        """
        self._check_open()
        self.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Leave the draft as it is, for another time or process."""
        with _GUARD:
            if _OPEN.get(self.folder) is self:
                del _OPEN[self.folder]
        self._closed = True
        self._journal.close()
        self._lock.release()

    def _check_open(self) -> None:
        if self._closed:
            raise StudyError(f"the draft '{self.name}' was closed here, or goes on in a newer viewer",
                             where="mask edit", todo="Go on there, or begin the edit again: no stroke is lost")

    def _apply(self, stroke: Stroke, *, backwards: bool = False) -> None:
        flat = self.mask.reshape(-1)
        for indices, value in reversed(stroke) if backwards else stroke:
            flat[indices] = value != backwards

    def _start(self) -> np.ndarray:
        bits = np.frombuffer(zlib.decompress((self.folder / _START).read_bytes()), dtype=np.uint8)
        shape = self._turn.grid(self._geometry).shape
        return np.unpackbits(bits, count=int(np.prod(shape)), bitorder="little").astype(bool).reshape(shape)

    def _check_image(self) -> None:
        """Refuse to go on when the image is another one than that on which the draft was begun."""
        same = self._about["image_sha256"] == self.row["image_sha256"]
        if same:
            try:
                check_unchanged({resolve(self.study.path, str(self.row["image"])): str(self.row["image_sha256"])})
            except DataError:
                same = False
        if not same:
            raise DataError(f"the image was changed since the draft '{self.name}' was begun", where="mask edit",
                            todo="Restore the image, or discard the draft and begin again")

    def _check_name(self, name: str, author: str) -> None:
        if not name:
            raise DataError("the new ROI has no name", where="mask edit", todo="Give it one, such as 'GTV edited 1'")
        table = stored(self.study, IMAGES)
        taken = {str(roi).casefold() for roi in _of_image(table, self.row)["roi"]} if table is not None else set()
        if name.casefold() in taken:
            raise DataError(f"the image has a ROI '{name}' already", where="mask edit", todo="Choose another name")
        if _names(author, name) or identifiers_in(name, self.study.identifiers()):
            raise DataError("the ROI's name names a person", where="mask edit",
                            todo="Choose another one: it appears in tables and reports")

    def _write_mask(self) -> Path:
        """A new NIfTI file with the mask in the image's own order of voxels."""
        array = np.ascontiguousarray(self._turn.back(self.mask))
        with TemporaryDirectory() as folder:
            temporary = Path(folder) / "mask.nii.gz"
            write_volume(Volume(array, self._geometry), temporary)
            content = temporary.read_bytes()
        masks = self.study.path / MASKS
        path = next(free for number in count(1)
                    if not (free := masks / f"{self.folder.name}-{number}.nii.gz").exists())
        write_bytes(path, content)
        return path

    def _write_note(self, path: Path, row: Mapping[str, Any], author: str, note: str) -> None:
        write_yaml(note_of(path), {
            "format": f"{FORMAT_PREFIX}mask", "format_version": MASK_VERSION, "roi": row["roi"], "who": author,
            "when": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"), "note": note,
            "mask_sha256": row["mask_sha256"], "from": self._about["from"],
            "image_sha256": self._about["image_sha256"], "strokes": self.strokes})


def _names(author: str, name: str) -> bool:
    """Whether a word of a person's name, of three letters or more, stands in a ROI's name."""
    words = re.findall(r"[^\W\d_]{3,}", author)
    return any(re.search(rf"(?<![^\W\d_]){word}(?![^\W\d_])", name, re.IGNORECASE) for word in words)


def note_of(mask: Path) -> Path:
    """The note beside a saved mask."""
    return mask.with_name(re.sub(r"\.nii\.gz$", "", mask.name) + ".yaml")


def open_draft(study: Study, row: Mapping[str, Any], image: Geometry, frame_of_reference: str = "",
               name: str = "") -> Draft:
    """The draft of a ROI, begun now or gone on with.

    Parameters
    ----------
    study : Study
    row : mapping
        The row of the table of images: its ROI is copied; where its ``mask`` is empty, the draft begins empty.
    image : Geometry
        The row's image's, as stored.
    frame_of_reference : str
        The image's.
    name : str
        What to call the new ROI; by default the old one's with "edited" and a number.

    Raises
    ------
    DataError
        The image changed since the draft was begun; a dose is not drawn on.
    StudyError
        Somebody else is editing this ROI.
    """
    if row["modality"] == DOSE:
        raise DataError("ROIs are not drawn on a dose", where="mask edit", todo="Choose the image that it belongs to")
    folder = _folder_of(study, row)
    with _GUARD:
        before = _OPEN.get(folder)
    if before is not None:
        before.close()  # the newest viewer of this process goes on
    if not (folder / _DRAFT).exists():
        shutil.rmtree(folder, ignore_errors=True)  # where a draft was being discarded
        _begin(study, folder, row, _like(image, frame_of_reference), name)
    draft = Draft(study, folder, row)
    with _GUARD:
        _OPEN[folder] = draft
    return draft


def has_draft(study: Study, row: Mapping[str, Any]) -> bool:
    """Whether there is a draft of that ROI."""
    return (_folder_of(study, row) / _DRAFT).exists()


def _folder_of(study: Study, row: Mapping[str, Any]) -> Path:
    # By what names the image and not by its content: a changed image must meet its draft, to be refused.
    key = sha256_json([str(row[name]) for name in ("patient", "series", "image", "mask", "label")])
    return study.path / DRAFTS / key[:16]


def _like(geometry: Geometry, frame_of_reference: str) -> Volume:
    """An image of that grid without voxels of its own."""
    return Volume(np.broadcast_to(np.float32(0), geometry.shape), geometry, frame_of_reference=frame_of_reference)


def _begin(study: Study, folder: Path, row: Mapping[str, Any], image: Volume, name: str) -> None:
    turn = Orientation.of(image.geometry)
    start = np.zeros(turn.grid(image.geometry).shape, dtype=bool)
    if row["mask"]:
        path = resolve(study.path, str(row["mask"]))
        check_unchanged({path: str(row["mask_sha256"])})
        moved = registration_of(study.path, row)
        start = turn.turned(load_mask(path, str(row["label"]), image, registration=moved).array)
    about = {"format": f"{FORMAT_PREFIX}draft", "format_version": DRAFT_VERSION,
             "name": name.strip() or _new_name(study, row), "image_sha256": str(row["image_sha256"]),
             "geometry": image.geometry.to_dict(),
             "from": {"roi": str(row["roi"]) if row["mask"] else "", "file": str(row["mask"]),
                      "sha256": str(row["mask_sha256"]), "label": str(row["label"])}}
    bits = np.packbits(start, bitorder="little")
    write_folder(folder, {_START: zlib.compress(bits.tobytes(), 1), _DRAFT: canonical_json(about).encode()})


def _new_name(study: Study, row: Mapping[str, Any]) -> str:
    """The ROI's name with "edited" and the first number that is free."""
    table = stored(study, IMAGES)
    taken = {str(roi).casefold() for roi in _of_image(table, row)["roi"]} if table is not None else set()
    base = re.sub(r" edited \d+$", "", str(row["roi"])) if row["mask"] else "ROI"
    return next(name for number in count(1) if (name := f"{base} edited {number}").casefold() not in taken)


def _of_image(table: Any, row: Mapping[str, Any]) -> Any:
    return table[(table["patient"] == row["patient"]) & (table["series"] == row["series"])]


@contextmanager
def _saving(study: Study) -> Iterator[None]:
    """Held while a mask is saved, so that two people cannot take one name."""
    folder = study.path / MASKS
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=_LOCK_TIMEOUT_S):
            yield
    except Timeout:
        raise StudyError("another mask has been being saved for a minute", where=study.name,
                         todo="Wait for it to end, then save again") from None
