"""Headers of files, whatever they are: plain values, or an error that names the file."""

from __future__ import annotations

import datetime as dt
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from pydicom.data import get_testdata_file
from pydicom.multival import MultiValue
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header, parse_header, read_header
from medomicslab_nb.imaging.dicom_values import parse_datetime
from medomicslab_nb.imaging.slices import order_slices
from medomicslab_nb.imaging.suv import suv_factors
from tests.imaging.dicom_factory import PATIENT_ID, PATIENT_NAME, corpus, write_series


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """One CT slice."""
    return write_series(tmp_path, edit=only_first)[0]


def only_first(item, z):
    return z == 0


def refused(path: Path) -> str:
    """The message with which a file's header is refused, by both readers."""
    with pytest.raises(DataError) as error:
        read_header(path)
    with pytest.raises(DataError) as again:
        parse_header(path)
    assert str(error.value) == str(again.value)
    assert f"file {path.name}" in str(error.value)
    assert str(path.parent) not in str(error.value)
    assert PATIENT_ID not in str(error.value) and PATIENT_NAME not in str(error.value)
    return str(error.value)


def with_vr(path: Path, tag: bytes, vr: bytes) -> Path:
    """Change the VR of the element with these four bytes of a tag."""
    content = path.read_bytes()
    at = content.index(tag) + 4
    path.write_bytes(content[:at] + vr + content[at + 2:])
    return path


def test_values_are_plain(file):
    header = parse_header(file)
    assert header.text("Modality") == "CT"
    assert header.numbers("PixelSpacing") == (0.75, 1.5)
    assert header.number("Rows") == 20
    assert header.texts("ImageType") == ("ORIGINAL", "PRIMARY", "AXIAL")
    assert header.number("EchoTime") is None and header.text("SUVType") == "" and header.numbers("EchoTime") == ()
    assert header.date == dt.date(2020, 1, 2)
    assert header.pixels == "complete" and not header.unreadable


def test_values_agree_with_pydicom_on_its_corpus():
    """Every value of our fast conversion, where there is one, is what pydicom's own conversion gives."""
    compared = 0
    for path in (path for folder in corpus() for path in folder.rglob("*") if path.is_file()):
        try:
            header = parse_header(path)
        except DataError:
            continue
        with warnings.catch_warnings(action="ignore"):
            dataset = pydicom.dcmread(path, force=True)
            for keyword in header.values.keys() & set(dataset.dir()):
                assert same(header.values[keyword], dataset[keyword].value), (path, keyword)
                compared += 1
    assert compared > 2000


def same(ours, theirs) -> bool:
    several = list(theirs) if isinstance(theirs, MultiValue) else [theirs]
    if not isinstance(ours, tuple):
        ours = (ours,) if isinstance(ours, float) else tuple(ours.split("\\"))
    if isinstance(ours[0], float):
        return list(ours) == [float(value) for value in several][:len(ours)]
    return list(ours) == [str(value).strip() for value in several]


def test_read_header_keeps_the_wanted_tags_and_how_text_is_written(file):
    assert [element.keyword for element in read_header(file, tags=["Modality"])] == [
        "SpecificCharacterSet", "Modality"]
    assert "PixelData" not in read_header(file) and read_header(file).ConvolutionKernel == "B30f"


def test_bad_input_09_truncated_header(file):
    file.write_bytes(file.read_bytes()[:150])
    assert "cut off" in refused(file)


@pytest.mark.parametrize("syntax", [None, RLELossless])
def test_bad_input_09_truncated_pixels_are_seen(tmp_path, syntax):
    path = write_series(tmp_path, edit=only_first, syntax=syntax)[0]
    assert parse_header(path).pixels == "complete"
    path.write_bytes(path.read_bytes()[:-20])
    assert parse_header(path).pixels == "truncated"


def test_bad_input_09_pixel_data_shorter_than_the_matrix_are_seen(tmp_path):
    def shorten(item, z):
        item.PixelData = item.PixelData[:-10]
        return z == 0
    assert parse_header(write_series(tmp_path, edit=shorten)[0]).pixels == "truncated"


def test_bad_input_10_zero_byte_file(tmp_path):
    (tmp_path / "empty.dcm").touch()
    assert "empty (0 bytes)" in refused(tmp_path / "empty.dcm")


@pytest.mark.parametrize("content", [
    b"x", b"PATIENT;AGE\n1;2\n" * 50, b"\x08\x00" + b"\xff" * 300, zlib.compress(b"a" * 9999), b"\0" * 128 + b"DICM",
    b"\0" * 128 + b"DICM" + b"\x08\x00\x05\x00CS\x02"])
def test_bad_input_11_no_dicom(tmp_path, content):
    (tmp_path / "notes.txt").write_bytes(content)
    refused(tmp_path / "notes.txt")


def test_missing_file(tmp_path):
    assert "cannot be opened" in refused(tmp_path / "gone.dcm")


def test_bad_input_20_no_meta_header_is_read(tmp_path):
    path = write_series(tmp_path, edit=only_first, meta=False)[0]
    assert path.read_bytes()[:2] == b"\x08\x00"
    assert read_header(path).Modality == "CT"
    header = parse_header(path)
    assert header.numbers("PixelSpacing") == (0.75, 1.5) and header.pixels == "complete"


def test_bad_input_21_invalid_vr_matters_when_the_tag_is_asked_for(file):
    header = parse_header(with_vr(file, b"\x28\x00\x30\x00", b"ZZ"))
    assert header.unreadable == {"PixelSpacing"}
    assert header.numbers("ImagePositionPatient") == (-12, -40, -100)
    with pytest.raises(DataError, match="PixelSpacing cannot be read") as error:
        header.numbers("PixelSpacing")
    assert file.name in str(error.value)


@pytest.mark.parametrize("value", ["1,5\\0,7", "nan\\1", "abc"])
def test_bad_input_21_text_where_a_number_belongs(file, value):
    content = file.read_bytes()
    at = content.index(b"\x28\x00\x30\x00DS") + 8
    length = int.from_bytes(content[at - 2:at], "little")
    file.write_bytes(content[:at] + value.encode().ljust(length)[:length] + content[at + length:])
    with pytest.raises(DataError, match="PixelSpacing cannot be read"):
        parse_header(file).numbers("PixelSpacing")


@pytest.mark.parametrize("value", ["1\\2", "1_0"])
def test_bad_input_12_a_slope_of_two_numbers_or_an_odd_one_is_unreadable(file, value):
    content = file.read_bytes()
    at = content.index(b"\x28\x00\x53\x10DS") + 8
    length = int.from_bytes(content[at - 2:at], "little")
    file.write_bytes(content[:at - 2] + len(value.ljust(4)).to_bytes(2, "little") + value.encode().ljust(4)
                     + content[at + length:])
    with pytest.raises(DataError, match="RescaleSlope cannot be read"):
        parse_header(file).number("RescaleSlope")


def test_big_endian_is_read():
    header = parse_header(Path(get_testdata_file("MR_small_bigendian.dcm", download=False)))
    assert header.syntax == ExplicitVRBigEndian
    assert header.number("Rows") == 64 and header.pixels == "complete"


def test_references_of_a_structure_set():
    header = parse_header(Path(get_testdata_file("rtstruct.dcm", download=False)))
    assert header.text("Modality") == "RTSTRUCT" and header.pixels == "absent"
    assert len(header.frame_references) == 1


@pytest.mark.parametrize(("text", "expected"), [
    ("20200102110000", (2020, 1, 2, 11)), ("20200102110000.500000", (2020, 1, 2, 11, 0, 0, 500_000)),
    ("20200102", (2020, 1, 2)), ("2020.01.02", (2020, 1, 2)), ("202001021100", (2020, 1, 2, 11)),
    ("20200102110000.00+0100", (2020, 1, 2, 11)), ("2020010211:00:30", (2020, 1, 2, 11, 0, 30))])
def test_dates_and_times(text, expected):
    assert parse_datetime(text) == dt.datetime(*expected)  # noqa: DTZ001 - local times


@pytest.mark.parametrize("text", ["", "unknown", "20201302", "20200102990000", "11"])
def test_no_dates(text):
    assert parse_datetime(text) is None


def test_a_header_without_readable_dates_has_none():
    assert Header(Path("a"), {"StudyDate": "?"}).date is None


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bad_input_09_21_damage_anywhere_in_the_header_is_no_crash(tmp_path, data):
    """Bytes overwritten, taken out or put in at random: values, or an error that names the file."""
    whole = tmp_path / "whole" / "001.dcm"
    if not whole.exists():
        write_series(whole.parent, modality="PT", edit=only_first)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(128, 1700))
        content[at:at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))
    path = tmp_path / "damaged.dcm"
    path.write_bytes(content[:data.draw(st.sampled_from([len(content), 400, 1500]))])
    try:
        headers = [parse_header(path)] * 2
        headers[0].date  # noqa: B018 - a property that reads several tags
        order_slices(headers)
        suv_factors(headers)
    except DataError as error:
        assert "damaged.dcm" in str(error)
