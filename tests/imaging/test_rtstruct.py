"""RT Structure Sets: what is read, and what is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.rtstruct import StructureSet, read_rtstruct
from tests.imaging.contour_factory import (
    PATIENT_ID,
    SHAPES,
    at_slice,
    contour_item,
    frame_uid,
    write_dose,
    write_rtstruct,
)
from tests.imaging.dicom_factory import AXIAL, OBLIQUE, uid

CONTOURS = at_slice(SHAPES["two parts"], 2, OBLIQUE)


def edited(tmp_path: Path, edit: Any, contours: list[np.ndarray] | None = None) -> StructureSet:
    contours = CONTOURS if contours is None else contours
    return read_rtstruct(write_rtstruct(tmp_path / "rs.dcm", [("GTV", contours)], edit=edit))


def problem(tmp_path: Path, edit: Any = None, contours: list[np.ndarray] | None = None) -> str:
    """Why the only ROI cannot be used: as it is listed, and as it is refused."""
    structures = edited(tmp_path, edit, contours)
    with pytest.raises(DataError) as error:
        structures.roi("GTV", "file rs.dcm")
    assert str(error.value).startswith(f"file rs.dcm: ROI 'GTV': {structures.rois[0].problem}")
    return structures.rois[0].problem


def contour(dataset: Dataset, number: int = 0) -> Dataset:
    return dataset.ROIContourSequence[0].ContourSequence[number]


def test_contours_names_numbers_and_references_are_read(tmp_path: Path) -> None:
    rois = [("GTV", CONTOURS), ("Cœur", CONTOURS[:1])]
    structures = read_rtstruct(write_rtstruct(tmp_path / "rs.dcm", rois))
    assert structures.names == ("GTV", "Cœur")
    assert structures.frame_of_reference == frame_uid()
    assert structures.series_uids == (uid("series", PATIENT_ID, 1, 1),)
    assert [(roi.number, roi.frame_of_reference, roi.problem) for roi in structures.rois] == [
        (1, frame_uid(), ""), (2, frame_uid(), "")]
    for found, written in zip(structures.rois[0].contours, CONTOURS, strict=True):
        np.testing.assert_allclose(found, written, atol=1e-9)


def test_contours_read_through_pydicom_before_are_the_same(tmp_path: Path) -> None:
    """ContourData comes from its bytes, or from values that were set in memory."""
    from medomicslab_nb.imaging.rtstruct import _numbers

    item = contour_item(CONTOURS[0])
    np.testing.assert_allclose(_numbers(item).reshape(-1, 3), CONTOURS[0], atol=1e-9)


def test_closed_planar_xor_is_filled_as_any_other(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", CONTOURS)], kind="CLOSEDPLANAR_XOR")
    assert len(read_rtstruct(path).roi("GTV", "").contours) == 2


def test_frame_that_only_the_roi_names_is_the_declared_one(tmp_path: Path) -> None:
    """As in STS_046: the structure set declares one frame, and the ROI refers to another one that is nowhere."""
    def edit(item: Dataset) -> None:
        item.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"

    assert edited(tmp_path, edit).rois[0].frame_of_reference == frame_uid()


def test_each_roi_keeps_its_own_of_two_declared_frames(tmp_path: Path) -> None:
    def edit(item: Dataset) -> None:
        other = Dataset()
        other.FrameOfReferenceUID = "1.2.3"
        item.ReferencedFrameOfReferenceSequence.append(other)
        item.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"

    assert edited(tmp_path, edit).rois[0].frame_of_reference == "1.2.3"


def test_bad_input_24_empty_roi(tmp_path: Path) -> None:
    def without_contours(item: Dataset) -> None:
        del item.ROIContourSequence[0].ContourSequence

    def without_item(item: Dataset) -> None:
        item.ROIContourSequence = Items()

    for edit in (None, without_contours, without_item):
        assert problem(tmp_path, edit, []) == "it has no contour (empty ROI)"


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR", "OPEN_NONPLANAR"])
def test_bad_input_25_point_and_open_contours(tmp_path: Path, kind: str) -> None:
    def edit(item: Dataset) -> None:
        contour(item, 1).ContourGeometricType = kind

    assert problem(tmp_path, edit) == f"a contour is {kind}, which surrounds no area"


def test_bad_input_25_contour_without_a_type(tmp_path: Path) -> None:
    def edit(item: Dataset) -> None:
        del contour(item).ContourGeometricType

    assert "of no type" in problem(tmp_path, edit)


@pytest.mark.parametrize("points", [1, 2])
def test_bad_input_26_fewer_than_three_points(tmp_path: Path, points: int) -> None:
    assert "fewer than three points" in problem(tmp_path, contours=[CONTOURS[0], CONTOURS[1][:points]])


def test_bad_input_26_no_points_at_all(tmp_path: Path) -> None:
    def edit(item: Dataset) -> None:
        del contour(item).ContourData
        del contour(item).NumberOfContourPoints

    assert "fewer than three points" in problem(tmp_path, edit)


def test_points_that_are_missing_or_no_numbers_are_told(tmp_path: Path) -> None:
    def fewer(item: Dataset) -> None:
        contour(item).ContourData = contour(item).ContourData[:-3]

    def broken(item: Dataset) -> None:
        contour(item).ContourData = contour(item).ContourData[:-1]

    for edit in (fewer, broken):
        assert "points are not complete" in problem(tmp_path, edit)
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", [np.arange(12.0).reshape(4, 3) + 7770])])
    path.write_bytes(path.read_bytes().replace(b"7771", b"77a1"))
    assert "points are no numbers" in read_rtstruct(path).rois[0].problem


def test_contour_with_an_offset_is_told(tmp_path: Path) -> None:
    for offset, found in (([0, 0, 0], ""), ([0, 0, 2.5], "a contour has an offset")):
        structures = edited(tmp_path, lambda item, offset=offset: setattr(contour(item), "ContourOffsetVector", offset))
        assert structures.rois[0].problem.startswith(found)
        assert bool(structures.rois[0].problem) == bool(found)


def test_other_rois_of_the_file_stay_usable(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("Empty", []), ("GTV", CONTOURS)])
    assert read_rtstruct(path).names == ("Empty", "GTV")
    assert len(read_rtstruct(path).roi("GTV", "").contours) == 2


def test_bad_input_29_double_names_carry_their_number(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", CONTOURS), ("Lung", CONTOURS), ("GTV", CONTOURS[:1])])
    structures = read_rtstruct(path)
    assert structures.names == ("GTV#1", "Lung", "GTV#3")
    assert len(structures.roi("GTV#3", "").contours) == 1
    with pytest.raises(DataError, match=r"2 ROIs fit the name 'GTV'\. Name the one that is meant: 'GTV#1', 'GTV#3'"):
        structures.roi("GTV", "file rs.dcm")


@pytest.mark.parametrize("charset", ["ISO_IR 192", "ISO_IR 100", "", None])
def test_bad_input_29_accents_by_every_character_set(tmp_path: Path, charset: str | None) -> None:
    """Declared UTF-8 and Latin-1; and bytes of either that the file does not declare."""
    path = write_rtstruct(tmp_path / "rs.dcm", [("Lésion n°1", CONTOURS)], charset=charset or "ISO_IR 192")
    if not charset:
        content = path.read_bytes()
        written = b"ISO_IR 192"
        replaced = b"ISO_IR 6\0\0" if charset is None else b"          "
        path.write_bytes(content.replace(written, replaced))
    assert read_rtstruct(path).names == ("Lésion n°1",)


def test_bad_input_29_unknown_character_set_does_not_crash(tmp_path: Path) -> None:
    path = write_rtstruct(tmp_path / "rs.dcm", [("GTV", CONTOURS)])
    path.write_bytes(path.read_bytes().replace(b"ISO_IR 192", b"ISO_IR 999"))
    assert read_rtstruct(path).names == ("GTV",)


def test_bad_input_09_cut_off_at_any_byte_it_is_refused_or_complete(tmp_path: Path) -> None:
    whole = write_rtstruct(tmp_path / "rs.dcm", [("GTV", CONTOURS), ("Lung", CONTOURS)])
    content, cut = whole.read_bytes(), tmp_path / "cut.dcm"
    for end in range(0, len(content) - 1, 5):
        cut.write_bytes(content[:end])
        try:
            rois = read_rtstruct(cut).rois
        except DataError as error:
            assert error.where == "file cut.dcm"
            continue
        for roi in rois:
            assert roi.problem or len(roi.contours) == len(CONTOURS)


def test_other_files_are_refused_without_identifiers(tmp_path: Path) -> None:
    other = write_dose(tmp_path / "dose.dcm", np.ones(AXIAL.shape), AXIAL)
    empty = tmp_path / "empty.dcm"
    empty.write_bytes(b"")
    for path in (other, empty, tmp_path / "missing.dcm"):
        with pytest.raises(DataError) as error:
            read_rtstruct(path)
        assert str(error.value).startswith(f"file {path.name}: ")
        assert PATIENT_ID not in str(error.value)
        assert str(tmp_path) not in str(error.value)


@pytest.mark.parametrize("sequence", ["StructureSetROISequence", "ROIContourSequence"])
def test_bad_input_29_two_rois_with_one_number_refused(tmp_path: Path, sequence: str) -> None:
    """Of two lists of contours for one number, one would be lost."""
    keyword = "ROINumber" if sequence.startswith("Structure") else "ReferencedROINumber"
    triangle = [np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]])]
    path = write_rtstruct(tmp_path / "rs.dcm", [("A", triangle), ("B", triangle)],
                          edit=lambda item: setattr(item[sequence][1], keyword, 1))
    with pytest.raises(DataError, match=r"file rs\.dcm: two of its ROIs have the same number"):
        read_rtstruct(path)


def test_structure_set_without_rois_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no ROI"):
        read_rtstruct(write_rtstruct(tmp_path / "rs.dcm", []))
