"""From folders to series and from series to voxels: values against pydicom, faults by number."""

from __future__ import annotations

import os
import shutil
import struct
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    MPEG4HP41,
    HTJ2KLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    RTStructureSetStorage,
)

from medomicslab_nb.errors import Cancelled, DataError
from medomicslab_nb.imaging import folder as folder_module
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.series import combined_sha256, file_hashes, load_series, scan, series_sha256
from medomicslab_nb.imaging.volumes import Volume, read_volume, write_volume
from medomicslab_nb.progress import Progress
from tests.imaging.dicom_factory import (
    AXIAL,
    OBLIQUE,
    PATIENT_ID,
    PATIENT_NAME,
    SAGITTAL,
    corpus,
    save,
    set_tags,
    slice_dataset,
    stored_values,
    uid,
    write_series,
)

GRIDS = {"axial": AXIAL, "oblique": OBLIQUE, "sagittal": SAGITTAL}
BW = 70000 / (370e6 * 2 ** (-3600 / 6586.2))


def by_pydicom(paths) -> np.ndarray:
    """Rescaled values of each file by pydicom's decoders and tags, float64."""
    slices = []
    for path in paths:
        item = pydicom.dcmread(path, force=True)
        slope, intercept = float(item.get("RescaleSlope", 1)), float(item.get("RescaleIntercept", 0))
        slices.append(item.pixel_array.astype(float) * slope + intercept)
    return np.stack(slices)


def refused(paths) -> str:
    with pytest.raises(DataError) as error:
        load_series(paths)
    assert str(error.value).startswith("file ") and str(paths[0].parent) not in str(error.value)
    assert PATIENT_ID not in str(error.value) and PATIENT_NAME not in str(error.value)
    return str(error.value)


def quiet_scan(*paths, **options):
    return scan(paths, progress=Progress(), **options)


# -- voxels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("signed", [False, True])
def test_ct_is_in_hounsfield_units(tmp_path, grid, signed):
    stored = stored_values(signed=signed)
    paths = write_series(tmp_path, stored, geometry=GRIDS[grid])
    volume = load_series(paths[::-1])
    assert volume.unit == "HU" and volume.array.dtype == np.float32
    assert volume.geometry.same_as(GRIDS[grid])
    assert np.array_equal(volume.array, stored.astype(float) - 1024)
    assert volume.frame_of_reference == uid("frame", PATIENT_ID, 1)


@pytest.mark.parametrize("slopes", [
    [0.5 + 0.37 * z for z in range(30)], [1.0] + [0.5 + 0.37 * z for z in range(29)], list(range(1, 31)),
    [1e-5 * (z + 1) / 3 for z in range(30)], [2e4 + z / 7 for z in range(30)]])
def test_bad_input_13_per_slice_pet_slopes_are_exact(tmp_path, slopes):
    paths = write_series(tmp_path, modality="PT", slopes=slopes)
    volume = load_series(paths)
    expected = by_pydicom(paths) * BW
    assert volume.unit == "SUVbw"
    assert np.allclose(volume.array, expected, rtol=1.3e-7, atol=0)


def test_bad_input_18_rows_and_columns_at_different_distances(tmp_path):
    volume = load_series(write_series(tmp_path))
    assert volume.geometry.spacing_mm == (1.5, 0.75, 3.0)
    assert volume.array.shape == (30, 20, 10)


@pytest.mark.parametrize("modality", ["PT", "MR"])
def test_suv_kinds_and_units(tmp_path, modality):
    paths = write_series(tmp_path, modality=modality)
    units = [load_series(paths, suv=kind).unit for kind in ("bw", "bsa", "lbm")]
    assert units == (["SUVbw", "SUVbsa", "SUVlbm"] if modality == "PT" else ["", "", ""])


def test_bad_input_34_suv_is_not_scaled_again(tmp_path):
    paths = write_series(tmp_path, modality="PT", pet={"Units": "GML", "SUVType": "BW", "PatientWeight": None})
    assert np.allclose(load_series(paths).array, by_pydicom(paths), rtol=1e-7)


@pytest.mark.parametrize("slopes", [None, [2.5] * 30, [0.1 * (z + 1) for z in range(30)]])
def test_mr_is_as_the_file_has_it(tmp_path, slopes):
    paths = write_series(tmp_path, modality="MR", slopes=slopes, intercept=3.0)
    volume = load_series(paths)
    assert volume.unit == "" and np.allclose(volume.array, by_pydicom(paths), rtol=1e-7)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("signed", [False, True])
def test_compressed_slices(tmp_path, syntax, signed):
    stored = stored_values(signed=signed)
    paths = write_series(tmp_path, stored, syntax=syntax)
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(load_series(paths).array, stored.astype(float) - 1024)
    assert np.array_equal(by_pydicom(paths), stored.astype(float) - 1024)


@pytest.mark.parametrize(("compressed", "plain"), [
    ("MR2_J2KR.dcm", "MR2_UNCR.dcm"), ("MR_small_jp2klossless.dcm", "MR_small.dcm"),
    ("MR_small_RLE.dcm", "MR_small.dcm"), ("MR_small_bigendian.dcm", "MR_small.dcm"),
    ("MR_small_expb.dcm", "MR_small.dcm"), ("MR_small_implicit.dcm", "MR_small.dcm"),
    ("693_J2KR.dcm", "693_UNCR.dcm"), ("JPEG2000.dcm", None)])
def test_transfer_syntaxes_of_the_corpus(tmp_path, compressed, plain):
    """Against the file's uncompressed twin or pydicom's decoder."""
    truth = pydicom.dcmread(get_testdata_file(plain or compressed, download=False)).pixel_array
    assert np.array_equal(load_series(two_slices(tmp_path, compressed)).array, np.stack([truth, truth]))


def test_jpeg_lossless_is_read_without_pydicoms_plug_ins(tmp_path):
    """What PACS often send; in the corpus without an uncompressed twin."""
    paths = two_slices(tmp_path, "JPEG-LL.dcm")
    assert pydicom.dcmread(paths[0]).file_meta.TransferSyntaxUID == JPEGLosslessSV1
    array = load_series(paths).array
    assert array.shape == (2, 1024, 256) and array.min() == 0 and array.max() > 100


def two_slices(folder, name) -> list[Path]:
    """A series of two slices, both with the pixels of one file of the corpus."""
    source = get_testdata_file(name, download=False)
    paths = []
    for z in range(2):
        item = pydicom.dcmread(source)
        usual = slice_dataset(np.zeros((2, 2), np.uint16), z)
        for keyword in ("SOPClassUID", "Modality", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
                        "ImageType", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID"):
            item[keyword] = usual[keyword]
        set_tags(item, {"RescaleSlope": 1, "RescaleIntercept": 0, "NumberOfFrames": None, "RescaleType": None})
        item.file_meta.MediaStorageSOPClassUID = item.SOPClassUID
        paths.append(save(item, folder / f"{z}.dcm"))
    return paths


def test_nothing_is_printed(tmp_path, capfd):
    load_series(write_series(tmp_path / "a", modality="PT"))
    paths = write_series(tmp_path / "b")
    paths[3].write_bytes(paths[3].read_bytes().replace(b"\x18\x00\x60\x00DS", b"\x18\x00\x60\x00ZZ"))
    refused(paths)
    assert capfd.readouterr() == ("", "")


# -- left is left ------------------------------------------------------------------------------------------------

POSITIONS = {"HFS": (1, 0, 0, 0, 1, 0), "HFP": (-1, 0, 0, 0, -1, 0), "FFS": (-1, 0, 0, 0, 1, 0),
             "FFP": (1, 0, 0, 0, -1, 0), "HFDR": (0, 1, 0, -1, 0, 0), "SAGITTAL": (0, 1, 0, 0, 0, -1),
             "CORONAL": (1, 0, 0, 0, 0, -1)}
LESION_MM = np.array([31.0, -7.0, 12.0])
"""To the patient's left, in front, above the origin (LPS)."""


def grid_around_origin(rows_and_columns, *, mirrored=False) -> Geometry:
    row, column = np.array(rows_and_columns[:3], float), np.array(rows_and_columns[3:], float)
    normal = np.cross(row, column) * (-1 if mirrored else 1)
    axes = np.column_stack([row, column, normal])
    size, spacing = (48, 70, 40), (2.0, 1.5, 2.5)
    middle = axes @ ((np.array(size) - 1) / 2 * spacing)
    return Geometry(size, spacing, tuple(-middle), tuple(axes.ravel()))


def with_lesion(geometry) -> np.ndarray:
    stored = np.zeros(geometry.shape, np.uint16)
    x, y, z = np.rint(geometry.to_indices([LESION_MM])[0]).astype(int)
    stored[z, y, x] = 2000
    return stored


def brightest_mm(volume) -> np.ndarray:
    z, y, x = np.unravel_index(np.argmax(volume.array), volume.array.shape)
    return volume.geometry.to_points([[x, y, z]])[0]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("position", POSITIONS)
def test_bad_input_89_left_is_left_from_dicom_and_by_way_of_nifti(tmp_path, position, mirrored):
    geometry = grid_around_origin(POSITIONS[position], mirrored=mirrored)
    paths = write_series(tmp_path, with_lesion(geometry), geometry=geometry,
                         edit=lambda item, z: set_tags(item, {"PatientPosition": position[:4]}))
    volume = load_series(paths)
    assert np.abs(brightest_mm(volume) - LESION_MM).max() <= 1.25
    assert np.linalg.det(volume.geometry.axes) == pytest.approx(1)
    for name in ("a.nii.gz", "a.nrrd", "a.mha"):
        write_volume(volume, tmp_path / name)
        assert np.abs(brightest_mm(read_volume(tmp_path / name)) - LESION_MM).max() <= 1.25


@pytest.mark.parametrize("position", POSITIONS)
def test_bad_input_89_negative_determinant_in_nifti(tmp_path, position):
    """A mirrored grid, written and read: the lesion keeps its place; in NIfTI's own axes, left is the negative side."""
    geometry = grid_around_origin(POSITIONS[position], mirrored=True)
    assert np.linalg.det(geometry.axes) == pytest.approx(-1)
    volume = Volume(with_lesion(geometry).astype(np.float32), geometry)
    write_volume(volume, tmp_path / "a.nii")
    read = read_volume(tmp_path / "a.nii")
    assert np.abs(brightest_mm(read) - LESION_MM).max() <= 1.25
    # The affine as the file has it (bytes 280 to 328 of the header), in RAS.
    affine = np.array(struct.unpack("<12f", (tmp_path / "a.nii").read_bytes()[280:328])).reshape(3, 4)
    index = np.array(np.unravel_index(np.argmax(read.array), read.array.shape))[::-1]
    ras = affine @ [*index, 1]
    assert np.abs(ras - LESION_MM * (-1, -1, 1)).max() <= 1.25


# -- faults of files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [None, RLELossless, JPEGLSLossless])
def test_bad_input_09_truncated_file(tmp_path, syntax):
    paths = write_series(tmp_path, syntax=syntax)
    paths[4].write_bytes(paths[4].read_bytes()[:-60])
    message = refused(paths)
    assert "005.dcm" in message and "cut off" in message


def test_bad_input_09_damaged_inside_compressed_pixels(tmp_path):
    paths = write_series(tmp_path, syntax=JPEGLSLossless)
    content = bytearray(paths[4].read_bytes())
    at = content.index(b"\xe0\x7f\x10\x00")
    content[at + 30:at + 60] = b"\0" * 30
    paths[4].write_bytes(content)
    assert "005.dcm" in refused(paths)


def test_bad_input_10_zero_byte_file(tmp_path):
    paths = write_series(tmp_path)
    paths[4].write_bytes(b"")
    assert "005.dcm: the file is empty" in refused(paths)


def test_bad_input_11_non_dicom_among_the_files(tmp_path):
    paths = write_series(tmp_path)
    paths[4].write_text("no image")
    assert "005.dcm: the file is no DICOM file" in refused(paths)


@pytest.mark.parametrize("modality", ["CT", "PT", "MR"])
@pytest.mark.parametrize("keyword", ["RescaleSlope", "RescaleIntercept"])
def test_bad_input_12_rescale_missing_on_some_slices(tmp_path, modality, keyword):
    paths = write_series(tmp_path, modality=modality, slopes=[2.0] * 30,
                         edit=lambda item, z: set_tags(item, {keyword: None}) if z in (4, 9) else None)
    message = refused(paths)
    assert "005.dcm" in message and "missing on 2 of 30 slices" in message


@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_bad_input_12_rescale_missing_on_all_slices(tmp_path, modality):
    tags = {"RescaleSlope": None, "RescaleIntercept": None}
    assert "missing on 30 of 30" in refused(write_series(tmp_path, modality=modality,
                                                         edit=lambda item, z: set_tags(item, tags)))


@pytest.mark.parametrize(("tags", "words"), [({"RescaleSlope": 0}, "slope 0 is not positive"),
                                             ({"RescaleType": "US"}, "'US', not Hounsfield")])
def test_bad_input_12_rescale_that_gives_no_unit(tmp_path, tags, words):
    assert words in refused(write_series(tmp_path, edit=lambda item, z: set_tags(item, tags)))


def test_a_missing_rescale_type_is_hounsfield(tmp_path):
    volume = load_series(write_series(tmp_path, edit=lambda item, z: set_tags(item, {"RescaleType": None})))
    assert volume.unit == "HU"


@pytest.mark.parametrize("syntax", [HTJ2KLossless, MPEG4HP41])
def test_bad_input_19_unsupported_codec(tmp_path, syntax):
    def edit(item, z):
        item.file_meta.TransferSyntaxUID = syntax
        item.PixelData = encapsulate([b"\xff\x4f\xff\x51" + b"\0" * 100])
        item["PixelData"].VR = "OB"
        item["PixelData"].is_undefined_length = True
    message = refused(write_series(tmp_path, edit=edit))
    assert "001.dcm" in message and syntax.name in message and "uncompressed" in message


def test_bad_input_20_no_meta_header_is_read(tmp_path):
    stored = stored_values()
    paths = write_series(tmp_path, stored, meta=False)
    assert np.array_equal(load_series(paths).array, stored.astype(float) - 1024)


def test_bad_input_20_some_files_without_meta_header(tmp_path):
    stored = stored_values()
    paths = write_series(tmp_path, stored)
    write_series(tmp_path, stored, meta=False, edit=lambda item, z: z % 3 == 1)
    assert np.array_equal(load_series(paths).array, stored.astype(float) - 1024)


@pytest.mark.parametrize("tag", [b"\x18\x00\x60\x00DS", b"\x28\x00\x30\x00DS", b"\x28\x00\x53\x10DS"])
def test_bad_input_21_invalid_vr(tmp_path, tag):
    paths = write_series(tmp_path)
    content = paths[4].read_bytes()
    paths[4].write_bytes(content.replace(tag, tag[:4] + b"ZZ"))
    message = refused(paths)
    assert "005.dcm" in message and "invalid VR" in message


# -- scanning ----------------------------------------------------------------------------------------------------


def test_scan_of_a_nested_folder(tmp_path):
    write_series(tmp_path / "P1" / "deep" / "er", series=1,
                 edit=lambda item, z: set_tags(item, {"ImagesInAcquisition": 40}))
    write_series(tmp_path / "P1" / "DICOM", modality="PT", series=2, name="IM{:06d}")
    write_series(tmp_path / "P2", modality="MR", patient_id="OTHER-2")
    (tmp_path / "P2" / "report.pdf").write_bytes(b"%PDF-1.7 ...........................")
    (tmp_path / "P2" / "empty").touch()
    found = quiet_scan(tmp_path)
    assert [(one.patient_id, one.modality, len(one.files)) for one in found.series] == [
        ("OTHER-2", "MR", 30), (PATIENT_ID, "CT", 30), (PATIENT_ID, "PT", 30)]
    assert all(one.problem == "" and one.geometry.same_as(AXIAL) for one in found.series)
    ct, pt = found.series[1], found.series[2]
    assert ct.warnings == ("ImagesInAcquisition says 40 slices, 30 are there: slices may be missing at an end",)
    assert ct.protocol["kernel"] == "B30f" and ct.protocol["kvp"] == 120 and ct.protocol["slice_thickness_mm"] == 3
    assert pt.protocol["tracer"] == "Fluorodeoxyglucose" and str(pt.date) == "2020-01-02"
    assert pt.frame_of_reference == ct.frame_of_reference == uid("frame", PATIENT_ID, 1)
    assert dict(zip(found.rejected["file"], found.rejected["reason"], strict=True)) == {
        "report.pdf": "the file is no DICOM file", "empty": "the file is empty (0 bytes)"}
    assert load_series(ct.files).geometry.same_as(AXIAL)


def test_files_come_in_the_order_of_their_places(tmp_path):
    write_series(tmp_path, order=np.random.default_rng(0).permutation(30))
    heights = [float(pydicom.dcmread(file).ImagePositionPatient[2]) for file in quiet_scan(tmp_path).series[0].files]
    assert heights == sorted(heights)


def test_bad_input_09_10_11_damaged_files_are_listed(tmp_path):
    paths = write_series(tmp_path)
    whole = paths[0].read_bytes()
    (tmp_path / "cut_header").write_bytes(whole[:200])
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "DICOMDIR").write_bytes(Path(get_testdata_file("DICOMDIR", download=False)).read_bytes())
    (tmp_path / "notes.txt").write_text("patient seen on monday")
    found = quiet_scan(tmp_path)
    assert [len(one.files) for one in found.series] == [30] and found.series[0].problem == ""
    reasons = dict(zip(found.rejected["file"], found.rejected["reason"], strict=True))
    assert set(reasons) == {"cut_header", "empty.dcm", "DICOMDIR", "notes.txt"}
    assert "cut off" in reasons["cut_header"] and "not needed" in reasons["DICOMDIR"]


def test_bad_input_09_truncated_slice_is_the_problem_of_its_series(tmp_path):
    paths = write_series(tmp_path)
    paths[4].write_bytes(paths[4].read_bytes()[:-60])
    only = quiet_scan(tmp_path).series
    assert len(only) == 1 and only[0].geometry is None
    assert only[0].problem.startswith("file 005.dcm: the file is cut off")


def test_bad_input_15_two_series_in_one_folder_are_separated(tmp_path):
    write_series(tmp_path, series=1, name="a{:03d}")
    write_series(tmp_path, series=2, name="b{:03d}", geometry=OBLIQUE)
    found = quiet_scan(tmp_path)
    assert [(len(one.files), one.problem) for one in found.series] == [(30, ""), (30, "")]
    assert {file.name[0] for file in found.series[0].files} in ({"a"}, {"b"})


def test_bad_input_16_another_patients_slice(tmp_path):
    write_series(tmp_path)
    write_series(tmp_path, edit=lambda item, z: set_tags(item, {"PatientID": "OTHER-9"}) if z == 8 else False)
    only = quiet_scan(tmp_path).series
    assert len(only) == 1 and "009.dcm" in only[0].problem and "another patient" in only[0].problem


def test_bad_input_31_pet_without_weight_is_seen_before_loading(tmp_path):
    write_series(tmp_path, modality="PT", pet={"PatientWeight": None})
    assert "weight (PatientWeight) is missing" in quiet_scan(tmp_path).series[0].problem


def test_volumes_of_one_series_become_series(tmp_path):
    for number, echo in enumerate((4.6, 92.0)):
        write_series(tmp_path / str(number), modality="MR", name=f"{number}-{{:03d}}",
                     edit=lambda item, z, echo=echo, number=number: set_tags(
                         item, {"EchoTime": echo, "SOPInstanceUID": uid(number, z)}))
    found = quiet_scan(tmp_path).series
    assert [(one.description, one.problem) for one in found] == [
        ("MR series [EchoTime 4.6]", ""), ("MR series [EchoTime 92]", "")]


def test_copies_of_a_file_are_left_out(tmp_path):
    write_series(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    found = quiet_scan(tmp_path)
    assert [(len(one.files), one.problem) for one in found.series] == [(30, "")]
    assert len(found.rejected) == 30 and found.rejected["reason"].str.startswith("a copy of ").all()


def test_bad_input_86_links_out_of_the_folder_are_refused(tmp_path):
    outside = write_series(tmp_path / "outside", series=2)
    inside = write_series(tmp_path / "export", series=1)
    os.symlink(outside[0], tmp_path / "export" / "link.dcm")
    os.symlink(tmp_path / "outside", tmp_path / "export" / "linked")
    os.symlink(inside[0], tmp_path / "export" / "again.dcm")
    os.symlink(tmp_path / "export", tmp_path / "export" / "loop")
    os.symlink(tmp_path / "gone", tmp_path / "export" / "dangling")
    found = quiet_scan(tmp_path / "export")
    assert [len(one.files) for one in found.series] == [30]
    reasons = dict(zip(found.rejected["file"], found.rejected["reason"], strict=True))
    assert set(reasons) == {"link.dcm", "linked", "dangling"}
    assert "leads out of the folder" in reasons["link.dcm"] and "leads out of the folder" in reasons["linked"]


def test_structure_sets_stand_apart_with_what_they_refer_to(tmp_path):
    write_series(tmp_path)
    item = slice_dataset(np.zeros((2, 2), np.uint16))
    for keyword in ("PixelData", "Rows", "Columns"):
        delattr(item, keyword)
    inner = set_tags(pydicom.Dataset(), {"SeriesInstanceUID": uid("series", PATIENT_ID, 1, 1)})
    study = set_tags(pydicom.Dataset(), {"RTReferencedSeriesSequence": [inner]})
    frame = set_tags(pydicom.Dataset(), {"FrameOfReferenceUID": uid("frame", PATIENT_ID, 1),
                                         "RTReferencedStudySequence": [study]})
    set_tags(item, {"Modality": "RTSTRUCT", "SOPClassUID": RTStructureSetStorage, "SOPInstanceUID": uid("rt"),
                    "SeriesInstanceUID": uid("rt series"), "ReferencedFrameOfReferenceSequence": [frame]})
    item.file_meta.MediaStorageSOPClassUID = RTStructureSetStorage
    save(item, tmp_path / "rt.dcm")
    found = quiet_scan(tmp_path)
    assert len(found.series) == 1 and [header.file.name for header in found.others] == ["rt.dcm"]
    assert found.others[0].series_references == {found.series[0].series_uid}
    assert found.others[0].frame_references == {found.series[0].frame_of_reference}


def test_the_corpus_of_pydicom_never_crashes_the_scan(capfd):
    folders = corpus()
    count = sum(path.is_file() and not path.is_symlink() for folder in folders for path in folder.rglob("*"))
    found = quiet_scan(*folders)
    assert count > 200
    assert sum(len(one.files) for one in found.series) + len(found.others) + len(found.rejected) == count
    for one in found.series:
        if not one.problem:
            load_series(one.files)
    assert capfd.readouterr() == ("", "")


def test_processes_find_the_same_as_one(tmp_path, monkeypatch):
    write_series(tmp_path / "a", series=1)
    write_series(tmp_path / "b", series=2, modality="PT")
    (tmp_path / "empty").touch()
    alone = quiet_scan(tmp_path, jobs=1)
    monkeypatch.setattr(folder_module, "_MANY", 1)
    monkeypatch.setattr(folder_module, "_BATCH", 8)
    together = quiet_scan(tmp_path, jobs=2)
    assert together.series == alone.series and together.rejected.equals(alone.rejected)


def test_a_worker_that_dies_costs_no_file(tmp_path, monkeypatch):
    """Its files are read by this process instead."""
    write_series(tmp_path)
    monkeypatch.setattr(folder_module, "_MANY", 1)
    monkeypatch.setattr(folder_module, "_BATCH", 8)
    monkeypatch.setattr(folder_module, "process_pool", DyingPool)
    assert [len(one.files) for one in quiet_scan(tmp_path, jobs=2).series] == [30]


class DyingPool:
    """A pool whose every task ends as if the worker had been killed."""

    def __init__(self, jobs):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def submit(self, function, batch):
        future = Future()
        future.set_exception(BrokenProcessPool("killed"))
        return future


@pytest.mark.parametrize("many", [1, 10_000])
def test_scan_can_be_cancelled(tmp_path, monkeypatch, many):
    monkeypatch.setattr(folder_module, "_MANY", many)
    monkeypatch.setattr(folder_module, "_BATCH", 5)
    write_series(tmp_path)
    events = []
    with pytest.raises(Cancelled):
        scan([tmp_path], progress=Progress([events.append], lambda: len(events) > 2), jobs=2)
    assert events[0].total == 30 and events[-1].finished and events[-1].done < 30


def test_missing_path():
    with pytest.raises(DataError, match="no such file or folder"):
        quiet_scan(Path("/nowhere/at-all"))


# -- hashes ------------------------------------------------------------------------------------------------------


def test_series_hash_depends_on_content_only(tmp_path):
    first = write_series(tmp_path / "a")
    other = write_series(tmp_path / "b", order=list(range(30))[::-1])
    assert series_sha256(first) == series_sha256(other[::-1])
    assert series_sha256(first) == combined_sha256(file_hashes(first).values())
    changed = write_series(tmp_path / "c", edit=lambda item, z: set_tags(item, {"KVP": 100}) if z == 5 else None)
    assert series_sha256(changed) != series_sha256(first)
    assert series_sha256(first[:-1]) != series_sha256(first)


# -- real patients -----------------------------------------------------------------------------------------------


@pytest.mark.realdata
def test_ibsi_phantom_from_dicom_equals_its_nifti(real_data):
    folder = real_data / "ibsi" / "ct_phantom"
    found = quiet_scan(folder / "dicom")
    (ct,) = found.series
    assert ct.problem == "" and len(found.others) == 1
    volume, expected = load_series(ct.files), read_volume(folder / "image.nii.gz")
    assert volume.geometry.same_as(expected.geometry, tolerance_mm=0.01)
    assert np.array_equal(volume.array, expected.array)


@pytest.mark.realdata
@pytest.mark.parametrize("patient", ["STS_002", "STS_008", "STS_019"])
def test_sarcoma_series_from_dicom_equal_their_nifti(real_data, patient):
    """PET, CT and MR of some patients; the tests of masks read all 71 series."""
    found = quiet_scan(real_data / "sts" / "dicom" / patient)
    assert [(one.modality, one.problem) for one in found.series] == [("CT", ""), ("MR", ""), ("PT", "")]
    for one in found.series:
        volume = load_series(one.files)
        folder = one.files[0].parents[1].name
        expected = read_volume(real_data / "sts" / "nifti" / patient / f"{folder}_image.nii.gz")
        assert volume.geometry.same_as(expected.geometry, tolerance_mm=0.01)
        assert np.allclose(volume.array, expected.array, rtol=1e-6, atol=0)
