"""The validator: one regular volume, or an error that names a file, by the numbers of the faults."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import parse_header
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.series_parts import split_volumes
from medomicslab_nb.imaging.slices import end_warnings, order_slices
from tests.imaging.dicom_factory import (
    AXIAL,
    OBLIQUE,
    PATIENT_ID,
    PATIENT_NAME,
    SAGITTAL,
    set_tags,
    slice_dataset,
    stored_values,
    uid,
    write_series,
)

GRIDS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}


def headers_of(folder, **options):
    return [parse_header(path) for path in write_series(folder, **options)]


def refused(headers) -> str:
    with pytest.raises(DataError) as error:
        order_slices(headers)
    message = str(error.value)
    assert message.startswith("file ") and ".dcm" in message
    assert PATIENT_ID not in message and PATIENT_NAME not in message
    return message


def edit_one(z, **tags):
    return lambda item, index: set_tags(item, tags) if index == z else None


def move(item, **mm):
    """Add to the position along x, y or z."""
    position = [float(value) for value in item.ImagePositionPatient]
    for axis, distance in mm.items():
        position["xyz".index(axis)] += distance
    item.ImagePositionPatient = [f"{value:.6f}" for value in position]


@pytest.mark.parametrize("grid", GRIDS)
def test_order_and_geometry_in_any_order_of_files(tmp_path, grid):
    shuffled = np.random.default_rng(1).permutation(30)
    headers = headers_of(tmp_path, geometry=GRIDS[grid], order=shuffled)
    ordered, geometry = order_slices(headers[::-1])
    assert [header.number("InstanceNumber") for header in ordered] == list(range(1, 31))
    assert geometry.same_as(GRIDS[grid])


def test_bad_input_18_row_spacing_is_the_distance_along_y(tmp_path):
    """PixelSpacing is 0.75 between rows (y), 1.5 between columns (x)."""
    headers = headers_of(tmp_path)
    assert headers[0].numbers("PixelSpacing") == (0.75, 1.5)
    assert order_slices(headers)[1].spacing_mm == (1.5, 0.75, 3.0)


def test_bad_input_89_slices_that_descend_make_the_same_grid(tmp_path):
    """A grid whose third axis runs against the cross product of the others is stored the other way round."""
    mirrored = Geometry((10, 20, 30), (1.5, 0.75, 3.0), (-12, -40, -13), (1, 0, 0, 0, 1, 0, 0, 0, -1))
    ordered, geometry = order_slices(headers_of(tmp_path, geometry=mirrored))
    assert [header.number("InstanceNumber") for header in ordered] == list(range(30, 0, -1))
    assert geometry.same_as(AXIAL)


@pytest.mark.parametrize("position", ["HFS", "HFP", "FFS", "FFP", "HFDR"])
def test_bad_input_89_patient_position_changes_nothing(tmp_path, position):
    headers = headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"PatientPosition": position}))
    assert order_slices(headers)[1].same_as(AXIAL)


def test_positions_written_with_one_decimal_are_accepted(tmp_path):
    grid = Geometry((10, 20, 30), (1.5, 0.75, 3.27), (-12.0, -40.0, -100.0))

    def rounded(item, z):
        item.ImagePositionPatient = [f"{float(value):.1f}" for value in item.ImagePositionPatient]
    found = order_slices(headers_of(tmp_path, geometry=grid, edit=rounded))[1]
    assert found.same_as(grid, tolerance_mm=0.06)


def test_bad_input_01_middle_slice_missing(tmp_path):
    message = refused(headers_of(tmp_path, edit=lambda item, z: z != 12))
    assert "1 of 30 slices are missing" in message and "012.dcm and 014.dcm" in message and "6 mm" in message


@pytest.mark.parametrize("grid", GRIDS)
def test_bad_input_01_several_middle_slices_missing(tmp_path, grid):
    message = refused(headers_of(tmp_path, geometry=GRIDS[grid], edit=lambda item, z: z not in (5, 6, 20)))
    assert "3 of 30 slices are missing" in message and "005.dcm and 008.dcm" in message


def test_bad_input_01_every_other_gap_is_missing_slices(tmp_path):
    assert "slices are missing" in refused(headers_of(tmp_path, edit=lambda item, z: z % 3 != 2))


def test_bad_input_02_end_slice_missing_is_warned_of_where_the_header_tells(tmp_path):
    """The places of the others cannot show it; contours that lie outside are refused where masks are made."""
    tags = {"NumberOfSlices": 30, "ImagesInAcquisition": 30}
    headers = headers_of(tmp_path, modality="PT", edit=lambda item, z: set_tags(item, tags) if z < 28 else False)
    assert len(order_slices(headers)[0]) == 28
    found = end_warnings(headers)
    assert len(found) == 2 and all("30 slices, 28 are there" in one for one in found)


def test_bad_input_02_complete_series_has_no_warning(tmp_path):
    headers = headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"ImagesInAcquisition": 30}))
    assert end_warnings(headers) == ()


def test_bad_input_02_numbers_with_gaps_are_warned_of(tmp_path):
    headers = headers_of(tmp_path, edit=edit_one(29, InstanceNumber=35))
    assert "InstanceNumber runs from 1 to 35" in end_warnings(headers)[0]


def test_bad_input_03_duplicate_slice_position(tmp_path):
    def edit(item, z):
        if z == 13:
            move(item, z=-3)
    message = refused(headers_of(tmp_path, edit=edit))
    assert "same place" in message and "013.dcm" in message and "014.dcm" in message


def test_bad_input_03_one_slice_twice(tmp_path):
    headers = headers_of(tmp_path)
    copy = write_series(tmp_path / "b", name="copy{:03d}.dcm", edit=lambda item, z: z == 7)
    assert "same place" in refused([*headers, parse_header(copy[0])])


@pytest.mark.parametrize("shift", [0.4, 1.0, -1.4])
def test_bad_input_04_variable_slice_distance(tmp_path, shift):
    def edit(item, z):
        if z == 13:
            move(item, z=shift)
    message = refused(headers_of(tmp_path, edit=edit))
    assert "distance of the slices varies" in message and "missing" not in message


def test_bad_input_04_two_distances(tmp_path):
    def edit(item, z):
        if z > 20:
            move(item, z=2.0 * (z - 20))
    assert "distance of the slices varies" in refused(headers_of(tmp_path, edit=edit))


def test_bad_input_04_distance_that_drifts(tmp_path):
    """Each gap alone is within the tolerance, their sum is not."""
    def edit(item, z):
        if z > 15:
            move(item, z=0.05 * (z - 15))
    assert "distance of the slices varies" in refused(headers_of(tmp_path, edit=edit))


def test_bad_input_05_mixed_pixel_spacing(tmp_path):
    message = refused(headers_of(tmp_path, edit=edit_one(4, PixelSpacing=[0.8, 1.5])))
    assert "005.dcm" in message and "0.8 x 1.5" in message and "0.75 x 1.5" in message


def test_bad_input_05_swapped_pixel_spacing(tmp_path):
    assert "005.dcm" in refused(headers_of(tmp_path, edit=edit_one(4, PixelSpacing=[1.5, 0.75])))


@pytest.mark.parametrize("value", [[0, 1.5], [-0.75, 1.5], None])
def test_bad_input_05_impossible_pixel_spacing(tmp_path, value):
    assert "PixelSpacing" in refused(headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"PixelSpacing": value})))


def test_bad_input_06_mixed_matrix_size(tmp_path):
    headers = headers_of(tmp_path)
    small = Geometry((9, 19, 30), AXIAL.spacing_mm, AXIAL.origin_mm)
    write_series(tmp_path, geometry=small, edit=lambda item, z: z == 3)
    headers[3] = parse_header(tmp_path / "004.dcm")
    message = refused(headers)
    assert "004.dcm" in message and "matrix size" in message


@pytest.mark.parametrize("orientation", [
    [0, 1, 0, -1, 0, 0], [-1, 0, 0, 0, 1, 0], [0.99939, 0.0349, 0, -0.0349, 0.99939, 0], [1, 0, 0, 0, 0, -1]])
def test_bad_input_07_one_slice_rotated(tmp_path, orientation):
    message = refused(headers_of(tmp_path, edit=edit_one(13, ImageOrientationPatient=orientation)))
    assert "014.dcm" in message and "rotated" in message


@pytest.mark.parametrize("degrees", [2.0, 15.0, -20.0])
@pytest.mark.parametrize("grid", GRIDS)
def test_bad_input_08_gantry_tilt(tmp_path, grid, degrees):
    def edit(item, z):
        aside = z * 3.0 * np.tan(np.radians(degrees)) * GRIDS[grid].axes[:, 1]
        move(item, x=aside[0], y=aside[1], z=aside[2])
    message = refused(headers_of(tmp_path, geometry=GRIDS[grid], edit=edit))
    assert "gantry tilt" in message and f"{abs(degrees):.1f} degrees" in message


def test_bad_input_08_tilt_corrected_by_the_scanner_is_accepted(tmp_path):
    """Only places count: the tag tells how the gantry stood, not how the images lie."""
    headers = headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"GantryDetectorTilt": 12.0}))
    assert order_slices(headers)[1].same_as(AXIAL)


def test_bad_input_07_one_slice_shifted_sideways(tmp_path):
    def edit(item, z):
        if z == 13:
            move(item, x=5)
    message = refused(headers_of(tmp_path, edit=edit))
    assert "014.dcm" in message and "sideways" in message


def test_bad_input_09_truncated_slice(tmp_path):
    paths = write_series(tmp_path)
    paths[6].write_bytes(paths[6].read_bytes()[:-50])
    message = refused([parse_header(path) for path in paths])
    assert "007.dcm" in message and "cut off" in message


@pytest.mark.parametrize("keyword", ["ImagePositionPatient", "ImageOrientationPatient"])
def test_bad_input_14_no_place(tmp_path, keyword):
    message = refused(headers_of(tmp_path, edit=edit_one(8, **{keyword: None})))
    assert "009.dcm" in message and keyword in message


def test_bad_input_14_no_slice_says_where_it_lies(tmp_path):
    assert "ImagePositionPatient" in refused(
        headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"ImagePositionPatient": None})))


def test_bad_input_15_two_series(tmp_path):
    headers = headers_of(tmp_path / "a") + headers_of(tmp_path / "b", series=2)
    assert "another series" in refused(headers)


@pytest.mark.parametrize("tags", [{"PatientID": "OTHER-1"}, {"PatientName": "Anders^Anna"},
                                  {"PatientBirthDate": "19500101"}])
def test_bad_input_16_another_patients_slice(tmp_path, tags):
    message = refused(headers_of(tmp_path, edit=edit_one(10, **tags)))
    assert "011.dcm" in message and "another patient" in message
    assert not any(value in message for value in tags.values())


def test_bad_input_16_another_study(tmp_path):
    assert "another study" in refused(headers_of(tmp_path, edit=edit_one(10, StudyInstanceUID=uid("other"))))


@pytest.mark.parametrize("frame", [uid("other"), None])
def test_bad_input_17_mixed_frame_of_reference(tmp_path, frame):
    message = refused(headers_of(tmp_path, edit=edit_one(10, FrameOfReferenceUID=frame)))
    assert "011.dcm" in message and "another frame of reference" in message


def test_bad_input_21_invalid_vr_of_a_needed_tag(tmp_path):
    paths = write_series(tmp_path)
    content = paths[5].read_bytes()
    paths[5].write_bytes(content.replace(b"\x20\x00\x32\x00DS", b"\x20\x00\x32\x00ZZ"))
    message = refused([parse_header(path) for path in paths])
    assert "006.dcm" in message and "ImagePositionPatient cannot be read" in message


def test_time_points_in_one_series_are_named(tmp_path):
    headers = [header for point in range(3)
               for header in headers_of(tmp_path / str(point), name=f"{point}-{{:03d}}.dcm")]
    assert "every place occurs 3 times" in refused(headers)


@pytest.mark.parametrize(("keyword", "values", "labels"), [
    ("EchoTime", (4.6, 92.0), ["EchoTime 4.6", "EchoTime 92"]),
    ("AcquisitionNumber", (1, 2), ["AcquisitionNumber 1", "AcquisitionNumber 2"]),
    ("ImageType", (["ORIGINAL", "PRIMARY", "WATER"], ["ORIGINAL", "PRIMARY", "FAT"]),
     ["ImageType ORIGINAL/PRIMARY/FAT", "ImageType ORIGINAL/PRIMARY/WATER"])])
def test_volumes_of_one_series_are_told_apart_by_a_tag(tmp_path, keyword, values, labels):
    headers = [header for number, value in enumerate(values)
               for header in headers_of(tmp_path / str(number), modality="MR", name=f"{number}-{{:03d}}.dcm",
                                        edit=lambda item, z, value=value: set_tags(item, {keyword: value}))]
    parts = split_volumes(headers)
    assert [label for label, _ in parts] == labels
    assert all(order_slices(part)[1].same_as(AXIAL) for _, part in parts)


def test_a_duplicate_is_not_told_apart(tmp_path):
    headers = headers_of(tmp_path) + headers_of(tmp_path / "b", name="b{:03d}.dcm", edit=lambda item, z: z == 7)
    assert [label for label, _ in split_volumes(headers)] == [""]


def test_localiser_in_the_series_is_set_apart(tmp_path):
    headers = headers_of(tmp_path, edit=edit_one(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    (label, slices), (scout, scouts) = split_volumes(headers)
    assert (label, len(slices), scout, len(scouts)) == ("", 29, "localiser", 1)
    order_slices(slices)
    assert "localiser" in refused(scouts)


@pytest.mark.parametrize(("tags", "words"), [
    ({"SOPClassUID": SecondaryCaptureImageStorage}, "Secondary Capture Image Storage is no CT"),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2.1"}, "many frames"),
    ({"NumberOfFrames": 4}, "many frames"),
    ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen shot"),
    ({"ImageType": ["DERIVED", "PRIMARY", "MIP"]}, "projection"),
    ({"SamplesPerPixel": 3}, "colour"),
    ({"PixelData": None}, "no pixels"),
    ({"Rows": None}, "rows and columns")])
def test_what_is_no_slice_is_named(tmp_path, tags, words):
    assert words in refused(headers_of(tmp_path, edit=lambda item, z: set_tags(item, tags)))


def test_an_unregistered_class_is_not_quoted(tmp_path):
    """A UID of its own may lead to a hospital."""
    message = refused(headers_of(tmp_path, edit=lambda item, z: set_tags(item, {"SOPClassUID": "1.2.999.4711"})))
    assert "an unknown object is no CT" in message and "4711" not in message


@pytest.mark.parametrize(("tags", "words"), [
    ({"Modality": "PT"}, "its modality 'PT' contradicts what it is"),
    ({"PhotometricInterpretation": "MONOCHROME1"}, "inverted display"),
    ({"BitsStored": 12, "HighBit": 15}, "do not begin at the lowest bit")])
def test_values_that_would_be_read_wrongly_are_refused(tmp_path, tags, words):
    """SimpleITK inverts MONOCHROME1 and takes shifted bits as they are; a CT that says PT would get its unit."""
    assert words in refused(headers_of(tmp_path, edit=lambda item, z: set_tags(item, tags)))


def test_another_modality_among_the_slices(tmp_path):
    headers = headers_of(tmp_path, edit=edit_one(3, Modality="MR"))
    assert "another modality" in refused(headers)


def test_a_lone_slice_is_no_volume(tmp_path):
    assert "two slices" in refused(headers_of(tmp_path, edit=lambda item, z: z == 0))
    with pytest.raises(DataError, match="no files"):
        order_slices([])


def test_slanted_axes_are_refused(tmp_path):
    tags = {"ImageOrientationPatient": [1, 0, 0, 0.1, 0.994987, 0]}
    assert "right angles" in refused(headers_of(tmp_path, edit=lambda item, z: set_tags(item, tags)))


def test_factory_slice_is_read_back(tmp_path):
    pixels = stored_values()[0]
    assert np.array_equal(slice_dataset(pixels).pixel_array, pixels)
