"""The slice viewer: axial, coronal and sagittal planes of an image with ROIs, overlays and edits of a mask.

The browser asks, this side answers: voxels in parts of a few megabytes, a mask's bits, a slice as JPEG where an image
is too large to send. Nothing is drawn here, and nothing is computed there. It does not register images, and what it
says of a ROI is a description, no measurement of the study.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import traitlets

from medomicslab_nb.data.mask_edits import Draft
from medomicslab_nb.errors import DataError, MedomicsError
from medomicslab_nb.imaging.display import Part, displayed, jpeg_of, parts, plane_of, preview, voxels_of
from medomicslab_nb.imaging.geometry import Geometry, Triple
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.protect import scrub
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import text
from medomicslab_nb.views.viewer_content import (
    BASE,
    REMOTE_ABOVE,
    Content,
    Picture,
    Region,
    content_of,
    masks_on,
    modality_of,
    overlay_of,
    region_of,
    still,
)
from medomicslab_nb.views.widget import Widget

_ON_THE_WAY = 3  # parts of a volume that a view has not yet confirmed
_UNREADABLE = (KeyError, TypeError, ValueError, IndexError)


class Editor(Protocol):
    """What a viewer needs to edit masks: a study's images, where drafts are kept."""

    identifiers: frozenset[str]

    def unfinished(self) -> str | None:
        """The ROI whose draft was left open, empty for a new ROI; None when there is none."""

    def open(self, roi: str, name: str) -> Draft:
        """The draft of a ROI, or of a new one for an empty name."""

    def saved(self, roi: str, row: Mapping[str, Any]) -> None:
        """A mask was saved under a ROI's name in this viewer."""


class SliceViewer(Widget, module="slice_viewer"):
    """A viewer of one image; make it by :meth:`of` or :meth:`of_array`.

    Attributes
    ----------
    images, rois : list
        What is shown, without voxels. The first image is the base.
    view : dict
        State of the view: index (x, y, z) in LPS order, windows, overlay, zoom.
    editing : dict or None
        The mask that is being edited.
    """

    images: traitlets.List[Any] = traitlets.List().tag(sync=True)
    rois: traitlets.List[Any] = traitlets.List().tag(sync=True)
    preview = traitlets.Bytes().tag(sync=True)
    preview_step: traitlets.List[Any] = traitlets.List().tag(sync=True)
    preview_size: traitlets.List[Any] = traitlets.List().tag(sync=True)
    view = traitlets.Dict().tag(sync=True)
    editing: Any = traitlets.Dict(allow_none=True, default_value=None).tag(sync=True)
    can_edit = traitlets.Bool(default_value=False).tag(sync=True)
    author = traitlets.Unicode().tag(sync=True)
    status = traitlets.Unicode().tag(sync=True)
    fault = traitlets.Unicode().tag(sync=True)
    height = traitlets.Int(480).tag(sync=True)

    def __init__(self, content: Content, editor: Editor | None = None, *, height: int = 480) -> None:
        self._pictures = {str(one.about["id"]): one for one in content.pictures}
        self._regions = {str(one.about["id"]): one for one in content.regions}
        self._editor = editor
        self._draft: Draft | None = None
        self._transfers: dict[tuple[str, str], Iterator[Part]] = {}
        self._guard = threading.RLock()
        sample, steps = preview(content.pictures[0].source.get())
        super().__init__(
            images=[one.about for one in content.pictures], rois=[one.about for one in content.regions],
            preview=sample.tobytes(), preview_step=list(steps), preview_size=list(sample.shape[::-1]),
            view={"index": _start(content)}, can_edit=editor is not None, height=height)
        self._answers: dict[str, Callable[[str, dict[str, Any], Sequence[Any]], None]] = {
            "volume": self._send_volume, "ack": self._send_next, "mask": self._send_mask, "slice": self._send_slice,
            "value": self._send_value, "edit": self._edit, "get_draft": self._send_draft, "stroke": self._stroke,
            "undo": self._undo, "redo": self._redo, "save": self._save, "discard": self._discard,
            "closed": self._forget}
        self.on_msg(self._receive)
        self._go_on()

    @classmethod
    def of(cls, image: Volume, rois: Mapping[str, Volume] | None = None, *,
           overlays: Mapping[str, Volume] | None = None, modality: str = "", name: str = "", height: int = 480,
           remote_above: int = REMOTE_ABOVE) -> SliceViewer:
        """A viewer of volumes in memory.

        Parameters
        ----------
        image : Volume
        rois : mapping of name to Volume
            Masks on the image's grid.
        overlays : mapping of name to Volume
            In the image's frame of reference, on any grid.
        modality : str
            DICOM's word, for windows and colours; by default what the unit tells.
        name : str
            What the image is called in the viewer.
        height : int
            Of the planes, in pixels.
        remote_above : int
            Images of more bytes stay in the kernel, and slices are sent as JPEG.

        Raises
        ------
        DataError
            A ROI is on another grid; an overlay has another frame of reference.
        """
        content = content_of(image, rois or {}, overlays=overlays or {}, modality=modality, name=name,
                             remote_above=remote_above)
        return cls(content, height=height)

    @classmethod
    def of_array(cls, array: np.ndarray, rois: Mapping[str, np.ndarray] | None = None, *,
                 spacing_mm: Triple = (1.0, 1.0, 1.0), unit: str = "", height: int = 480) -> SliceViewer:
        """A viewer of plain arrays (z, y, x): x to the patient's left, y to the back, z to the head.

        Parameters
        ----------
        spacing_mm : (x, y, z)
        """
        image, masks = _volumes(array, rois or {}, spacing_mm, unit)
        return cls.of(image, masks, height=height)

    def add_overlay(self, volume: Volume, name: str, *, modality: str = "") -> str:
        """Show an image over the base; gives its name in messages.

        Raises
        ------
        DataError
            It has another frame of reference than the base.
        """
        base = self._pictures[BASE].source.get()
        identifier = f"overlay-{len(self._pictures)}"
        return self.add_picture(overlay_of(volume, base, identifier, name, modality=modality))

    def add_picture(self, picture: Picture) -> str:
        """Show an image that is ready to be an overlay."""
        identifier = str(picture.about["id"])
        with self._guard:
            self._pictures[identifier] = picture
            self.images = [*self.images, picture.about]
            self._change_view(overlay=identifier)
        return identifier

    def jump(self, index: Sequence[int]) -> None:
        """Go to a voxel (x, y, z) in LPS order."""
        self._change_view(index=[int(place) for place in index])

    def _change_view(self, **parts: Any) -> None:
        """As Python's word, not as the echo of a tab's own."""
        kept = {name: value for name, value in self.view.items() if name not in ("by", "stamp")}
        self.view = {**kept, **parts}

    def close(self) -> None:
        """Free everything; a draft stays on the disk."""
        with self._guard:
            if self._draft is not None:
                self._draft.close()
                self._draft = None
            for picture in self._pictures.values():
                picture.source.close()
            self._pictures, self._regions = {}, {}
            self._transfers.clear()
            self._answers = {}
        self.on_msg(self._receive, remove=True)
        super().close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"  # what it shows would stand in the notebook's output

    # -- messages ------------------------------------------------------------------------------------------------

    def _receive(self, _: Any, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        """Answer a message; what goes wrong is told to the view that asked."""
        token = str(content.get("token", ""))
        try:
            with self._guard:
                answer = self._answers.get(str(content.get("type")))
                if answer is not None:
                    answer(token, content, buffers)
        except MedomicsError as error:
            self._say_error(content, str(error))
        except _UNREADABLE as error:
            self._say_error(content, text("viewer_unreadable", kind=type(error).__name__))

    def _say_error(self, asked: Mapping[str, Any], words: str) -> None:
        known = self._editor.identifiers if self._editor else frozenset()
        self.send({"type": "error", **_told(asked), "message": scrub(words, known)})

    def _send_volume(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        image = str(content["image"])
        picture = self._pictures[image]
        if picture.about["remote"]:
            raise DataError(text("viewer_remote"), where=str(picture.about["name"]))
        self._transfers[token, image] = iter(parts(picture.source.get()))
        for _part in range(_ON_THE_WAY):
            self._send_next(token, content, ())

    def _send_next(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        """The next part to a view, if one is left; an image that no view waits for is dropped."""
        image = str(content["image"])
        todo = self._transfers.get((token, image))
        if todo is None:
            return
        part = next(todo, None)
        if part is None:
            self._end_transfer(token, image)
            return
        shown = self._pictures[image].source.get()
        self.send({"type": "chunk", "token": token, "image": image, "offset": part.offset, "count": part.count,
                   "total": shown.array.size}, [voxels_of(shown, part).data.cast("B")])

    def _end_transfer(self, token: str, image: str) -> None:
        self._transfers.pop((token, image), None)
        if image in self._pictures and not any(other == image for _, other in self._transfers):
            self._pictures[image].source.release()

    def _send_mask(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        roi = str(content["roi"])
        self.send({"type": "mask", "token": token, "roi": roi}, [self._regions[roi].bits.data])

    def _send_slice(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        axis, index, window = int(content["axis"]), int(content["index"]), content["window"]
        plane = plane_of(self._pictures[str(content["image"])].source.get(), axis, index)
        about = {"type": "slice", "token": token, "image": content["image"], "axis": axis, "index": index,
                 "window": window, "width": plane.shape[1], "height": plane.shape[0]}
        self.send(about, [jpeg_of(plane, (float(window[0]), float(window[1])))])

    def _send_value(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        x, y, z = (int(place) for place in content["index"])
        shown = self._pictures[str(content["image"])].source.get()
        plane = plane_of(shown, 2, z)
        if not (0 <= x < plane.shape[1] and 0 <= y < plane.shape[0]):
            raise IndexError("voxel")
        self.send({"type": "value", "token": token, "image": content["image"], "index": [x, y, z],
                   "text": f"{plane[y, x]:.6g} {shown.unit}".strip()})

    def _forget(self, token: str, _content: dict[str, Any], _: Sequence[Any]) -> None:
        for one, image in [key for key in self._transfers if key[0] == token]:
            self._end_transfer(one, image)

    # -- edits ---------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Go on with a draft that was left open, after a crash or a reload; where it cannot be, say why."""
        roi = self._editor.unfinished() if self._editor else None
        if self._editor is None or roi is None:
            return
        try:
            self._draft = self._editor.open(roi, "")
            self._tell(roi)
        except MedomicsError as error:
            self.fault = scrub(str(error), self._editor.identifiers)

    def _edit(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        if self._editor is None:
            raise DataError(text("viewer_no_edits"), where=text("viewer"))
        if self._draft is None:
            roi = str(content["roi"])
            self._draft = self._editor.open(roi, str(content.get("name", "")))
            self._tell(roi)
        self._send_draft(token, content, ())

    def _send_draft(self, _token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        if self._draft is None:
            return
        nz, ny, nx = self._draft.mask.shape
        roi = self.editing["roi"] if self.editing else ""
        self.send({"type": "draft", **_told(content), "roi": roi, "box": [0, 0, 0, nx, ny, nz]},
                  [np.packbits(self._draft.mask, bitorder="little").data])

    def _stroke(self, _token: str, content: dict[str, Any], buffers: Sequence[Any]) -> None:
        if self._draft is None:
            raise DataError(text("viewer_no_draft"), where=text("viewer"))
        bytes_ = bytes(buffers[0]) if buffers else b""
        self._draft.paint(np.frombuffer(bytes_, dtype="<u4"), bool(content["value"]), begin=bool(content["begin"]),
                          end=bool(content["end"]))
        self.send({"type": "stroke", **_told(content), "value": int(bool(content["value"]))}, [bytes_])
        self._tell()

    def _undo(self, _token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        if self._draft is not None and self._draft.undo():
            self.send({"type": "undone", **_told(content)})
            self._tell()

    def _redo(self, _token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        if self._draft is not None and self._draft.redo():
            self.send({"type": "redone", **_told(content)})
            self._tell()

    def _save(self, token: str, content: dict[str, Any], _: Sequence[Any]) -> None:
        if self._draft is None or self._editor is None:
            raise DataError(text("viewer_no_draft"), where=text("viewer"))
        draft = self._draft
        row = draft.save(str(content["name"]), str(content["author"]), str(content.get("note", "")))
        self._draft, self.author = None, str(content["author"]).strip()
        identifier, number = f"roi-{len(self._regions)}", len(self._regions)
        region = region_of(self._pictures[BASE].source.get(), draft.mask, identifier, str(row["roi"]), number)
        self._regions[identifier] = region
        self.rois = [*self.rois, region.about]
        self._editor.saved(identifier, row)
        self.editing = None
        self.status = text("viewer_saved", name=row["roi"])
        self.send({"type": "saved", "token": token, "name": row["roi"]})

    def _discard(self, _token: str, _content: dict[str, Any], _: Sequence[Any]) -> None:
        # Also where a newer viewer holds the draft, and this one is only told so.
        draft, self._draft, self.editing = self._draft, None, None
        if draft is not None:
            draft.discard()

    def _tell(self, roi: str | None = None) -> None:
        """What views know of the draft."""
        draft = self._draft
        if draft is None:
            return
        known = (self.editing or {}).get("roi", "") if roi is None else roi
        self.editing = {"roi": known, "name": draft.name, "strokes": draft.strokes, "can_undo": draft.can_undo,
                        "can_redo": draft.can_redo, "unsaved": draft.strokes > 0, "author": self.author}


class StillSlices:
    """What is left of a viewer where nobody looks: a picture in three planes with contours."""

    def __init__(self, bundle: Mapping[str, str]) -> None:
        self.bundle = dict(bundle)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.bundle


def view_slices(image: Volume, rois: Mapping[str, Volume] | None = None, *,
                overlays: Mapping[str, Volume] | None = None, modality: str = "", title: str = "",
                height: int = 480) -> SliceViewer | StillSlices:
    """The slice viewer where somebody looks, else a still picture of the same image and ROIs.

    Parameters
    ----------
    image, rois, overlays, modality, height
        As for :meth:`SliceViewer.of`.
    title : str
        No identifier: the picture is stored with the notebook.

    Raises
    ------
    DataError
        A ROI is on another grid; an overlay has another frame of reference.
    """
    modality = modality or modality_of(image.unit)
    if interactive():
        return SliceViewer.of(image, rois, overlays=overlays, modality=modality, name=title, height=height)
    return StillSlices(still(displayed(image), masks_on(image, rois or {}), modality, title))


def _volumes(array: np.ndarray, rois: Mapping[str, np.ndarray], spacing_mm: Triple,
             unit: str) -> tuple[Volume, dict[str, Volume]]:
    nz, ny, nx = array.shape
    geometry = Geometry((nx, ny, nz), spacing_mm)
    return Volume(array, geometry, unit), {name: Volume(mask, geometry) for name, mask in rois.items()}


def _told(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Which message this answers: the view's token, and the number by which it knows how far this side has come."""
    return {"token": str(asked.get("token", "")), "number": asked.get("number")}


def _start(content: Content) -> list[int]:
    """Index in the middle of the first ROI, else of the image."""
    region: Region | None = next((one for one in content.regions if one.about["box"][3]), None)
    lower, size = ([0, 0, 0], content.pictures[0].about["size"]) if region is None else (
        region.about["box"][:3], region.about["box"][3:])
    return [int(low + n // 2) for low, n in zip(lower, size, strict=True)]
