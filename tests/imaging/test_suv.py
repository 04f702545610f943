"""SUV against values worked out by hand, outside the code.

Every expected number was computed with 30 decimal digits from the formula in its comment, and is written out here.
"""

from __future__ import annotations

import numpy as np
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header, parse_header
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.suv import body_surface_cm2, james_lean_mass_kg, lean_body_mass_kg, suv_factors
from tests.imaging.dicom_factory import PATIENT_ID, radiopharmaceutical, set_tags, write_series

THREE_SLICES = Geometry((4, 5, 3), (2.0, 2.0, 3.0))
NORMAL = 0.000276336681717643
"""70 kg, 370 MBq, F-18 (6586.2 s), 3600 s: 70000 / (370e6 * 2**(-3600 / 6586.2)); 2**(...) = 1.46063674622183."""


def pet(folder, *, injection=None, edit=None, **tags) -> list[Header]:
    """Headers of three slices; ``tags`` and ``injection`` differ from the factory's usual ones."""
    if injection is not None:
        tags["RadiopharmaceuticalInformationSequence"] = [radiopharmaceutical(**injection)]
    return [parse_header(path)
            for path in write_series(folder, geometry=THREE_SLICES, modality="PT", pet=tags, edit=edit)]


def factor(headers, kind="bw") -> float:
    factors = suv_factors(headers, kind)
    assert factors.shape == (3,) and (factors == factors[0]).all()
    return float(factors[0])


def refused(headers, kind="bw") -> str:
    with pytest.raises(DataError) as error:
        suv_factors(headers, kind)
    assert str(error.value).startswith("file 00") and PATIENT_ID not in str(error.value)
    return str(error.value)


def close(expected):
    return pytest.approx(expected, rel=1e-9)


def private(item, *, group, creator, values):
    block = item.private_block(group, creator, create=True)
    for offset, vr, value in values:
        block.add_new(offset, vr, value)


def test_bad_input_33_scan_over_midnight_without_dates_of_the_slices(tmp_path):
    def edit(item, z):
        set_tags(item, {"SeriesTime": "233000", "AcquisitionTime": ["233000", "235900", "003000"][z],
                        "AcquisitionDate": None})

    injection = {"RadiopharmaceuticalStartTime": "223000", "RadiopharmaceuticalStartDateTime": None}
    assert factor(pet(tmp_path, injection=injection, edit=edit)) == close(NORMAL)


@pytest.mark.parametrize("injection", [
    {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20200102"},
    {"RadiopharmaceuticalStartTime": "10", "RadiopharmaceuticalStartDateTime": None}])
def test_an_injection_to_the_day_or_the_hour_is_no_time(tmp_path, injection):
    """Read as midnight or as a full hour, it would change SUV by a factor."""
    assert "time of the injection is missing" in refused(pet(tmp_path, injection=injection))


def test_an_injection_in_another_time_zone_is_refused(tmp_path):
    injection = {"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20200102090000.00+0000"}
    assert "another time zone" in refused(pet(tmp_path, injection=injection, TimezoneOffsetFromUTC="+0100"))


# -- worked values -----------------------------------------------------------------------------------------------


def test_decay_from_injection_to_the_start_of_the_series(tmp_path):
    assert factor(pet(tmp_path)) == close(NORMAL)


def test_correction_to_the_administration_needs_no_time(tmp_path):
    """82.5 kg, 412 MBq: 82500 / 412e6."""
    headers = pet(tmp_path, DecayCorrection="ADMIN", PatientWeight=82.5, SeriesTime=None, AcquisitionTime=None,
                  injection={"RadionuclideTotalDose": 412e6, "RadiopharmaceuticalStartTime": None,
                             "RadionuclideHalfLife": None})
    assert factor(headers) == close(0.000200242718446602)


def test_bad_input_33_scan_after_midnight(tmp_path):
    """61 kg, 250.5 MBq, 23:30:00 to 00:45:30 = 4530 s: 61000 / (250.5e6 * 2**(-4530 / 6586.2))."""
    headers = pet(tmp_path, PatientWeight=61, SeriesTime="004530", AcquisitionTime="004530",
                  injection={"RadionuclideTotalDose": 250.5e6, "RadiopharmaceuticalStartTime": "233000"})
    assert factor(headers) == close(0.000392257329976573)


def test_bad_input_33_scan_after_midnight_with_dates(tmp_path):
    """As above; the date of the injection is recorded."""
    headers = pet(tmp_path, PatientWeight=61, SeriesTime="004530", AcquisitionTime="004530",
                  injection={"RadionuclideTotalDose": 250.5e6, "RadiopharmaceuticalStartTime": "233000",
                             "RadiopharmaceuticalStartDateTime": "20200101233000"})
    assert factor(headers) == close(0.000392257329976573)


def test_bad_input_33_acquisition_runs_over_midnight(tmp_path):
    """Injected at 22:58:30, series from 23:59:00 on, later beds on the next day: 3630 s.

    2**(30 / 6586.2) = 1.00316225999661 more than after 3600 s.
    """
    def edit(item, z):
        if z:
            set_tags(item, {"AcquisitionDate": "20200103", "AcquisitionTime": "000130"})
    headers = pet(tmp_path, SeriesTime="235900", AcquisitionTime="235900", edit=edit,
                  injection={"RadiopharmaceuticalStartTime": "225830"})
    assert factor(headers) == close(NORMAL * 1.00316225999661)


def test_gallium(tmp_path):
    """55.3 kg, 152.4 MBq, Ga-68 (4057.74 s), 10:00:00 to 11:02:05.5 = 3725.5 s:
    55300 / (152.4e6 * 2**(-3725.5 / 4057.74)); 2**(...) = 1.88965375425815."""
    headers = pet(tmp_path, PatientWeight=55.3, SeriesTime="110205.500000", AcquisitionTime="110206",
                  injection={"RadionuclideTotalDose": 152.4e6, "RadionuclideHalfLife": 4057.74})
    assert factor(headers) == close(0.000685681447575298)


def test_series_computed_later_with_the_scan_time_of_ge(tmp_path):
    """Series at 15:00, acquired from 11:02:10 on; GE's scan time is 11:01:30, 3690 s after the injection."""
    def edit(item, z):
        private(item, group=0x0009, creator="GEMS_PETD_01", values=[(0x0D, "DT", "20200102110130.00")])
    headers = pet(tmp_path, SeriesTime="150000", AcquisitionTime="110210", edit=edit)
    assert factor(headers) == close(0.000278966525766444)


def test_series_computed_later_with_the_start_computed_back(tmp_path):
    """Acquired at 11:06:00, frame of 180 s, frame reference time 269 s.

    The mean count rate falls ln(x / (1 - exp(-x))) * T / ln 2 = 89.8579232493079 s into the frame, x = ln 2 * 180 / T;
    the scan began 360 - 269 + 89.857... = 180.857923249308 s after 11:00, 3780.857... s after the injection:
    70000 / (370e6 * 2**(-3780.85792324931 / 6586.2)).
    """
    headers = pet(tmp_path, SeriesTime="150000", AcquisitionTime="110600", FrameReferenceTime=269000,
                  ActualFrameDuration=180000)
    assert factor(headers) == close(0.000281646826249496)


def test_series_computed_later_and_nothing_else_known(tmp_path):
    """The earliest acquisition counts: 11:00:00, as in the normal case."""
    def edit(item, z):
        item.AcquisitionTime = ("110400", "110000", "110200")[z]
    assert factor(pet(tmp_path, SeriesTime="150000", edit=edit)) == close(NORMAL)


def test_image_without_decay_correction(tmp_path):
    """C-11 (1223.4 s), 80 kg, 600 MBq, frames of 300 s from 600 and 900 s after the injection.

    Mean over a frame: (1 - exp(-x)) / x = 0.919631086569766, x = ln 2 * 300 / 1223.4;
    80000 / (600e6 * 2**(-600 / 1223.4) * 0.9196...) and the same with 900.
    """
    def edit(item, z):
        item.AcquisitionTime = ("101000", "101000", "101500")[z]
    headers = pet(tmp_path, DecayCorrection="NONE", CorrectedImage=["ATTN", "SCAT"], PatientWeight=80,
                  SeriesTime="101000", ActualFrameDuration=300000, edit=edit,
                  injection={"RadionuclideTotalDose": 600e6, "RadionuclideHalfLife": 1223.4})
    expected = [0.000203686003572344, 0.000203686003572344, 0.000241423329018620]
    assert suv_factors(headers) == close(expected)


def test_body_surface(tmp_path):
    """Du Bois, 70 kg, 175 cm: 0.007184 * 70**0.425 * 175**0.725 = 1.84814301812135 m2; times 1e4 / decayed dose."""
    assert body_surface_cm2(70, 1.75) == close(18481.4301812135)
    assert factor(pet(tmp_path), "bsa") == close(0.0000729585298524690)


@pytest.mark.parametrize(("sex", "mass", "expected"), [("F", 45.1970149253731, 0.000178422758971720),
                                                       ("M", 55.8571077225775, 0.000220505254262886)])
def test_lean_body_mass(tmp_path, sex, mass, expected):
    """Janmahasatian, 70 kg, 1.75 m, BMI 22.857...: 9270 * 70 / (8780 + 244 BMI) or / (6680 + 216 BMI)."""
    assert lean_body_mass_kg(70, 1.75, sex) == close(mass)
    assert factor(pet(tmp_path, PatientSex=sex), "lbm") == close(expected)


def test_lean_body_mass_by_james():
    """1.10 * 70 - 128 * (70 / 175)**2 and 1.07 * 70 - 148 * (70 / 175)**2."""
    assert james_lean_mass_kg(70, 1.75, "M") == close(56.52)
    assert james_lean_mass_kg(70, 1.75, "F") == close(51.22)


@pytest.mark.parametrize(("units", "suv_type", "kind", "expected"), [
    ("GML", None, "bw", 1.0), ("GML", "BW", "bw", 1.0), ("GML", "LBMJANMA", "lbm", 1.0), ("CM2ML", None, "bsa", 1.0),
    ("CM2ML", "BSA", "bsa", 1.0),
    ("GML", "BW", "lbm", 0.645671641791045),  # 45.197... / 70
    ("GML", "BW", "bsa", 0.264020431160192),  # 18481.43... / 70000
    ("CM2ML", "BSA", "bw", 3.78758566375213),  # 70000 / 18481.43...
    ("GML", "LBMJAMES128", "bw", 1.36665365091761),  # 70 / 51.22
])
def test_bad_input_34_values_that_are_suv_are_not_scaled_again(tmp_path, units, suv_type, kind, expected):
    assert factor(pet(tmp_path, Units=units, SUVType=suv_type), kind) == close(expected)


def test_bad_input_34_suv_by_weight_needs_neither_weight_nor_dose(tmp_path):
    headers = pet(tmp_path, Units="GML", PatientWeight=None, RadiopharmaceuticalInformationSequence=None)
    assert factor(headers) == 1.0


def test_bad_input_34_counts_with_the_factor_to_suv(tmp_path):
    def edit(item, z):
        private(item, group=0x7053, creator="Philips PET Private Group", values=[(0x00, "DS", "0.000551")])
    headers = pet(tmp_path, Units="CNTS", RadiopharmaceuticalInformationSequence=None, edit=edit)
    assert factor(headers) == close(0.000551)
    assert factor(headers, "lbm") == close(0.000551 * 0.645671641791045)


def test_bad_input_34_counts_with_the_factor_to_activity(tmp_path):
    """2.5 Bq/ml per count: 2.5 * 70000 / (370e6 * 2**(-3600 / 6586.2))."""
    def edit(item, z):
        private(item, group=0x7053, creator="Philips PET Private Group",
                values=[(0x00, "DS", "0"), (0x09, "DS", "2.5")])
    assert factor(pet(tmp_path, Units="CNTS", edit=edit)) == close(0.000690841704294108)


# -- faults ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weight", [None, 0])
def test_bad_input_31_no_weight(tmp_path, weight):
    assert "weight (PatientWeight) is" in refused(pet(tmp_path, PatientWeight=weight))


@pytest.mark.parametrize("weight", [70000, 0.07, 900])
def test_bad_input_31_impossible_weight(tmp_path, weight):
    assert "another unit?" in refused(pet(tmp_path, PatientWeight=weight))


@pytest.mark.parametrize("dose", [0, None])
def test_bad_input_32_no_dose(tmp_path, dose):
    assert "dose (RadionuclideTotalDose) is" in refused(pet(tmp_path, injection={"RadionuclideTotalDose": dose}))


@pytest.mark.parametrize("dose", [370, 10, 370e3, -370e6, 370e9])
def test_bad_input_32_dose_in_another_unit_is_not_guessed(tmp_path, dose):
    assert "another unit?" in refused(pet(tmp_path, injection={"RadionuclideTotalDose": dose}))


def test_bad_input_32_no_injection_recorded(tmp_path):
    assert "RadionuclideTotalDose" in refused(pet(tmp_path, RadiopharmaceuticalInformationSequence=None))


@pytest.mark.parametrize(("injection", "words"), [
    ({"RadionuclideHalfLife": None}, "half-life (RadionuclideHalfLife) is missing"),
    ({"RadionuclideHalfLife": 109.77}, "half-lives lie between"),  # minutes
    ({"RadiopharmaceuticalStartTime": None}, "time of the injection is missing"),
    ({"RadiopharmaceuticalStartTime": "110500"}, "half-lives lie between"),  # a clock five minutes fast
    ({"RadiopharmaceuticalStartTime": None, "RadiopharmaceuticalStartDateTime": "20200102123000"}, "after the scan"),
    ({"RadiopharmaceuticalStartDateTime": "20190102100000"}, "half-lives lie between"),  # one date was moved
    ({"RadiopharmaceuticalStartDateTime": "20200102090000"}, "contradicts"),
])
def test_bad_input_33_impossible_times(tmp_path, injection, words):
    assert words in refused(pet(tmp_path, injection=injection))


def test_bad_input_33_long_lived_nuclide_needs_the_date_of_its_injection(tmp_path):
    """Zr-89 (282276 s) is imaged days later: the time alone would be 24 h, 48 h ... off.

    70 kg, 37 MBq, 49 h: 70000 / (37e6 * 2**(-176400 / 282276)) = 0.00189189... * 1.54212562027185
    """
    usual = {"RadionuclideHalfLife": 282276, "RadionuclideTotalDose": 37e6}
    assert "date of the injection" in refused(pet(tmp_path / "a", injection=usual))
    headers = pet(tmp_path / "b", injection=usual | {"RadiopharmaceuticalStartDateTime": "20191231100000"})
    assert factor(headers) == close(0.00291753495727106)


@pytest.mark.parametrize(("tags", "words"), [
    ({"Units": None}, "Units is missing"),
    ({"Units": "PROPCNTS"}, "'PROPCNTS'"),
    ({"Units": "CNTS"}, "private factor (7053,1000) or (7053,1009) is missing"),
    ({"Units": "GML", "SUVType": "LBM"}, "'LBM'"),
    ({"Units": "GML", "SUVType": "IBW"}, "'IBW'"),
])
def test_bad_input_34_unknown_units(tmp_path, tags, words):
    assert words in refused(pet(tmp_path, **tags))


def test_bad_input_34_factor_missing_on_one_slice(tmp_path):
    def edit(item, z):
        private(item, group=0x7053, creator="Philips PET Private Group", values=[(0x00, "DS", "0" if z == 1 else "2")])
    assert "002.dcm" in refused(pet(tmp_path, Units="CNTS", edit=edit))


@pytest.mark.parametrize(("tags", "words"), [
    ({"CorrectedImage": ["DECY", "SCAT"]}, "not corrected for attenuation"),
    ({"CorrectedImage": ["DECY", "SCAT"], "Units": "GML"}, "not corrected for attenuation"),
    ({"CorrectedImage": ["ATTN"]}, "it is not decay-corrected"),
    ({"DecayCorrection": "NONE"}, "it is decay-corrected"),
    ({"DecayCorrection": None}, "DecayCorrection is missing"),
    ({"DecayCorrection": "LATER"}, "'LATER'"),
    ({"SeriesTime": None, "AcquisitionTime": None}, "SeriesTime and AcquisitionTime are missing"),
])
def test_corrections_that_are_missing_or_contradict(tmp_path, tags, words):
    assert words in refused(pet(tmp_path, **tags))


def test_corrections_may_be_unstated(tmp_path):
    assert factor(pet(tmp_path, CorrectedImage=None)) == close(NORMAL)


@pytest.mark.parametrize("kind", ["bsa", "lbm"])
@pytest.mark.parametrize("height", [None, 0, 175])
def test_no_height(tmp_path, kind, height):
    assert "height (PatientSize)" in refused(pet(tmp_path, PatientSize=height), kind)


@pytest.mark.parametrize("sex", [None, "O"])
def test_no_sex(tmp_path, sex):
    assert "sex" in refused(pet(tmp_path, PatientSex=sex), "lbm")


def test_two_injections(tmp_path):
    headers = pet(tmp_path, RadiopharmaceuticalInformationSequence=[radiopharmaceutical(), radiopharmaceutical()])
    assert "more than one injection" in refused(headers)


@pytest.mark.parametrize("tags", [{"Units": "GML"}, {"PatientWeight": 71}, {"DecayCorrection": "ADMIN"}])
def test_slices_that_disagree(tmp_path, tags):
    headers = pet(tmp_path, edit=lambda item, z: set_tags(item, tags) if z == 1 else None)
    assert "002.dcm" in refused(headers) and "differs" in refused(headers)


def test_dates_are_not_needed(tmp_path):
    """De-identification may have removed all dates; the times suffice."""
    tags = {"SeriesDate": None, "AcquisitionDate": None, "StudyDate": None}
    headers = pet(tmp_path, edit=lambda item, z: set_tags(item, tags))
    assert factor(headers) == close(NORMAL)
    assert np.isclose(factor(headers), NORMAL)
