"""Standardised uptake values: what the values of a PET series are multiplied with.

An SUV is the activity concentration over the injected activity per body measure, all at one moment:

    SUV = C [Bq/ml] * N / (D [Bq] * 2**(-t / T))

N is the body weight in g (SUVbw), the lean body mass in g (SUVlbm, Janmahasatian's formula [3]_) or the body surface in
cm2 (SUVbsa, Du Bois' formula [4]_, in cm2/ml as DICOM has it); D is the activity at injection, T the half-life, and t
runs from the injection to the moment that the image is corrected to. That moment is found as QIBA's vendor-neutral
pseudo-code does [1]_; residual activity in the syringe is not known to DICOM and not subtracted. Times are local times
of one clock: offsets from UTC are ignored, unless they contradict each other.

References
----------
.. [1] QIBA Profile FDG-PET/CT, version 1.13 (2016), appendix G, and Clunie, "Vendor-neutral pseudo-code for SUV".
.. [2] DICOM PS3.3, C.8.9.1 PET Series (Units, Decay Correction, SUV Type).
.. [3] Janmahasatian et al., Clin Pharmacokinet 44 (2005) 1051, as EANM's guideline for tumour PET 2.0 (2015) advises;
   James (1976) with 128 for men is used to convert images of SUV Type LBMJAMES128 only.
.. [4] Du Bois & Du Bois, Arch Intern Med 17 (1916) 863.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np

from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.dicom_values import parse_datetime

Kind = Literal["bw", "bsa", "lbm"]
UNITS: dict[str, str] = {"bw": "SUVbw", "bsa": "SUVbsa", "lbm": "SUVlbm"}

DOSE_BQ = (1e6, 2e10)
"""Injected activities that are believed: 1 MBq (a small child) to 20 GBq; values in MBq or mCi lie far below."""
WEIGHT_KG = (0.5, 500.0)
HEIGHT_M = (0.2, 2.6)
MOST_HALF_LIVES = 10
"""Longest time from injection to scan; beyond it, a date or the half-life is wrong."""

_DAY = dt.timedelta(days=1)
_STORED_KINDS = {("GML", ""): "bw", ("GML", "BW"): "bw", ("GML", "LBMJANMA"): "lbm", ("GML", "LBMJAMES128"): "james",
                 ("CM2ML", ""): "bsa", ("CM2ML", "BSA"): "bsa"}
_ASK = "Ask the site for the right value; without it, no SUV can be computed"
_LONG_S = 6 * 3600.0  # half-life from which imaging on a later day is usual (Cu-64, Zr-89, I-124)
_MINUTES = re.compile(r"\d{4}[.-]?\d\d[.-]?\d\d\d\d:?\d\d")
_OFFSET = re.compile(r"[+-]\d{4}$")
_AGREEMENT_S = 10.0  # of the start of the scan, computed back from each bed position


def suv_factors(headers: Sequence[Header], kind: Kind = "bw") -> np.ndarray:
    """What the values of each slice (after rescaling) are multiplied with to give SUVs.

    Parameters
    ----------
    headers : sequence of Header
        All slices of one PET series.
    kind : {'bw', 'bsa', 'lbm'}

    Returns
    -------
    ndarray, shape (n_slices,)
        Equal for all slices unless the image is not decay-corrected (NONE) or the vendor's factor varies.

    Raises
    ------
    DataError
        Units, times, dose or body measures are missing, contradict each other or cannot be true.
    """
    units = _one(headers, "Units")
    first = headers[0]
    _check_corrections(headers)
    if units in ("GML", "CM2ML"):
        stored = _STORED_KINDS.get((units, _one(headers, "SUVType")))
        if stored is None:
            raise first.error(f"the SUV type '{_one(headers, 'SUVType')}' in {units} does not say how it was computed",
                              "Export the series in BQML")
        return np.full(len(headers), _conversion(headers, stored, kind))
    if units == "BQML":
        return _per_activity(headers) * _body_measure(headers, kind)
    if units == "CNTS":
        return _from_counts(headers, kind)
    raise first.error(f"the unit '{units}' of the PET values is not known" if units else "Units is missing",
                      "Export the series in BQML, or as SUV in GML")


def decay(elapsed_s: float, half_life_s: float) -> float:
    """The part of an activity that is left after ``elapsed_s``."""
    return float(2.0 ** (-elapsed_s / half_life_s))


def frame_mean(duration_s: float, half_life_s: float) -> float:
    """Mean activity during a frame over the activity at its start: (1 - exp(-x)) / x with x = ln 2 * duration / T."""
    x = math.log(2) * duration_s / half_life_s
    return -math.expm1(-x) / x if x > 0 else 1.0


def body_surface_cm2(weight_kg: float, height_m: float) -> float:
    """Body surface by Du Bois: 0.007184 m2 * W**0.425 * H**0.725 with H in cm."""
    return float(71.84 * weight_kg ** 0.425 * (100 * height_m) ** 0.725)


def lean_body_mass_kg(weight_kg: float, height_m: float, sex: Literal["M", "F"]) -> float:
    """Lean body mass by Janmahasatian: 9270 W / (6680 + 216 BMI) for men, 9270 W / (8780 + 244 BMI) for women."""
    index = weight_kg / height_m ** 2
    return 9270 * weight_kg / (6680 + 216 * index if sex == "M" else 8780 + 244 * index)


def james_lean_mass_kg(weight_kg: float, height_m: float, sex: Literal["M", "F"]) -> float:
    """Lean body mass by James: 1.10 W - 128 (W/H)**2 for men, 1.07 W - 148 (W/H)**2 for women, H in cm.

    It falls with weight in very heavy patients; it serves to undo what a scanner did, not to compute anew.
    """
    ratio = (weight_kg / (100 * height_m)) ** 2
    return 1.10 * weight_kg - 128 * ratio if sex == "M" else 1.07 * weight_kg - 148 * ratio


# -- by unit -----------------------------------------------------------------------------------------------------


def _check_corrections(headers: Sequence[Header]) -> None:
    """Raise when the header says that the image is not quantitative, or contradicts itself."""
    for header in headers:
        done = header.texts("CorrectedImage")
        if not done:
            continue
        if "ATTN" not in done:
            raise header.error("the PET series is not corrected for attenuation: its values are no uptake",
                               "Import the attenuation-corrected series")
        claimed = header.text("DecayCorrection")
        if (claimed in ("START", "ADMIN") and "DECY" not in done) or (claimed == "NONE" and "DECY" in done):
            raise header.error(f"DecayCorrection is {claimed}, CorrectedImage says "
                               f"{'it is' if 'DECY' in done else 'it is not'} decay-corrected",
                               "Ask the site which is true; export the series again")


def _from_counts(headers: Sequence[Header], kind: Kind) -> np.ndarray:
    """Philips: counts with a private factor to SUVbw, or else to Bq/ml."""
    direct = _private_factors(headers, "PhilipsSUVFactor")
    if direct is not None:
        return direct * _conversion(headers, "bw", kind)
    activity = _private_factors(headers, "PhilipsActivityFactor")
    if activity is not None:
        return activity * _per_activity(headers) * _body_measure(headers, kind)
    raise headers[0].error("the PET values are counts, and the vendor's private factor (7053,1000) or (7053,1009) is "
                           "missing", "Export the series in BQML, or with its private tags")


def _private_factors(headers: Sequence[Header], name: str) -> np.ndarray | None:
    values = []
    for header in headers:
        try:
            values.append(float(header.text(name) or 0))
        except ValueError:
            raise header.error("the vendor's private PET factor is no number", "Export the series in BQML") from None
    factors = np.array(values)
    if not factors.any():
        return None
    if not np.isfinite(factors).all() or factors.min() <= 0:
        odd = headers[int(np.argmin(np.where(np.isfinite(factors), factors, -1)))]
        raise odd.error("the vendor's private PET factor is missing or not positive on this slice, not on others",
                        "Export the series in BQML")
    return factors


def _per_activity(headers: Sequence[Header]) -> np.ndarray:
    """For each slice, 1 / (injected activity at the moment that the slice is corrected to), in 1/Bq."""
    dose = _positive(headers, "RadionuclideTotalDose", "the injected dose", "Bq", DOSE_BQ)
    correction = _one(headers, "DecayCorrection")
    first = headers[0]
    if (first.values.get("Injections") or 0) > 1:
        raise first.error("more than one injection is recorded", "SUV of one of several tracers cannot be computed")
    if correction == "ADMIN":
        return np.full(len(headers), 1 / dose)
    half_life = _positive(headers, "RadionuclideHalfLife", "the half-life", "s", (1.0, 1e9))
    if correction == "START":
        elapsed = _elapsed_s(headers, scan_start(headers, half_life), half_life)
        return np.full(len(headers), 1 / (dose * decay(elapsed, half_life)))
    if correction == "NONE":
        return np.array([1 / (dose * _undecayed(headers, header, half_life)) for header in headers])
    raise first.error(f"DecayCorrection is '{correction}'" if correction else "DecayCorrection is missing",
                      "Export the series with decay correction START or ADMIN")


def _undecayed(headers: Sequence[Header], header: Header, half_life_s: float) -> float:
    """Decay from the injection to the mean of one uncorrected frame."""
    start, duration = _when(header, "Acquisition"), header.number("ActualFrameDuration")
    if start is None or not duration:
        raise header.error("the image is not decay-corrected, and the time or the duration of the frame is missing",
                           "Export the series with decay correction START")
    elapsed = _elapsed_s(headers, start, half_life_s)
    return decay(elapsed, half_life_s) * frame_mean(duration / 1000, half_life_s)


# -- times -------------------------------------------------------------------------------------------------------


def scan_start(headers: Sequence[Header], half_life_s: float) -> dt.datetime:
    """The moment that a series with decay correction START is corrected to.

    The series' time when no slice was acquired before it; else (the series was computed later) GE's private scan time;
    else the start computed back from each slice's acquisition time and frame reference time, where all agree within
    10 s; else the earliest acquisition time.

    Raises
    ------
    DataError
        No time is known.
    """
    first = headers[0]
    series = _when(first, "Series")
    acquired = [moment for header in headers if (moment := _when(header, "Acquisition")) is not None]
    if series is not None and (not acquired or series <= min(acquired)):
        return series
    if not acquired:
        raise first.error("SeriesTime and AcquisitionTime are missing or no times", _ASK)
    private = parse_datetime(first.text("GEScanDateTime"))
    if private is not None:
        return private
    starts = [_computed_back(header, half_life_s) for header in headers]
    known = sorted(start for start in starts if start is not None)
    if len(known) == len(headers) and (known[-1] - known[0]).total_seconds() <= _AGREEMENT_S:
        return known[len(known) // 2]
    return min(acquired)


def _computed_back(header: Header, half_life_s: float) -> dt.datetime | None:
    """The start of the scan from one slice: FrameReferenceTime counts from there to the frame's mean count rate."""
    acquired = _when(header, "Acquisition")
    reference_ms, duration_ms = header.number("FrameReferenceTime"), header.number("ActualFrameDuration")
    if acquired is None or not reference_ms or not duration_ms or min(reference_ms, duration_ms) <= 0:
        return None
    to_mean_s = -half_life_s * math.log2(frame_mean(duration_ms / 1000, half_life_s))
    return acquired + dt.timedelta(seconds=to_mean_s - reference_ms / 1000)


def _when(header: Header, name: str) -> dt.datetime | None:
    """A moment of the slice; without a date of its own, on the day of the series or the study."""
    time = header.text(f"{name}Time")
    for date in (f"{name}Date", "SeriesDate", "StudyDate"):
        if header.text(date):
            moment = _to_the_minute(header.text(date) + time)
            return moment if date == f"{name}Date" else _after_midnight(moment, header)
    return _to_the_minute("20000101" + time)


def _to_the_minute(text: str) -> dt.datetime | None:
    """A moment; None when its time is missing or given to the hour only, which would be taken for :00."""
    return parse_datetime(text) if _MINUTES.match(text.strip()) else None


def _after_midnight(moment: dt.datetime | None, header: Header) -> dt.datetime | None:
    """A moment without a date of its own, on the next day when it would lie half a day before its series began."""
    if moment is None or not header.text("SeriesDate"):
        return moment
    series = _to_the_minute(header.text("SeriesDate") + header.text("SeriesTime"))
    return moment + _DAY if series is not None and series - moment > _DAY / 2 else moment


def _elapsed_s(headers: Sequence[Header], moment: dt.datetime, half_life_s: float) -> float:
    """Seconds from the injection to ``moment``; an injection given without a date lies in the 24 hours before."""
    first = headers[0]
    full, time = _one(headers, "RadiopharmaceuticalStartDateTime"), _one(headers, "RadiopharmaceuticalStartTime")
    dated = _to_the_minute(full)
    timed = _to_the_minute(f"{moment:%Y%m%d}{time}")
    _check_offset(first, full, known=timed is not None)
    if dated is None and timed is None:
        raise first.error("the time of the injection is missing or no time", _ASK)
    if dated is not None and timed is not None and _clock_difference_s(dated, timed) > 1:
        raise first.error("the injection's start time contradicts its start date and time", _ASK)
    if dated is not None:
        elapsed = (moment - dated).total_seconds()
    elif half_life_s > _LONG_S:
        raise first.error("the date of the injection is missing, and with this half-life the scan may be days later",
                          _ASK)
    else:
        assert timed is not None
        elapsed = (moment - timed + (_DAY if timed > moment else dt.timedelta())).total_seconds()
    if elapsed < 0:
        raise first.error("the injection lies after the scan", "Correct its date; de-identification may have moved one "
                                                               "date and not the other")
    if elapsed > MOST_HALF_LIVES * half_life_s:
        raise first.error(f"{elapsed / half_life_s:.0f} half-lives lie between injection and scan",
                          "Check the date and time of the injection, and that the half-life is in seconds")
    return elapsed


def _check_offset(header: Header, injected: str, *, known: bool) -> None:
    """Raise when the injection is given in another time zone than the images, and no local time shows what is meant."""
    own, others = _OFFSET.search(injected), header.text("TimezoneOffsetFromUTC").strip()
    if own and others and not known and own[0].replace("-0000", "+0000") != others.replace("-0000", "+0000"):
        raise header.error("the injection's time is given in another time zone than the times of the images", _ASK)


def _clock_difference_s(one: dt.datetime, other: dt.datetime) -> float:
    seconds = abs((one - other).total_seconds()) % 86400
    return min(seconds, 86400 - seconds)


# -- body --------------------------------------------------------------------------------------------------------


def _conversion(headers: Sequence[Header], stored: str, kind: str) -> float:
    """From one kind of SUV to another: the ratio of the body measures. No measure is needed for the same kind."""
    return 1.0 if stored == kind else _body_measure(headers, kind) / _body_measure(headers, stored)


def _body_measure(headers: Sequence[Header], kind: str) -> float:
    """Weight or lean mass in g, or surface in cm2."""
    weight = _positive(headers, "PatientWeight", "the patient's weight", "kg", WEIGHT_KG)
    if kind == "bw":
        return 1000 * weight
    height = _positive(headers, "PatientSize", "the patient's height", "m", HEIGHT_M)
    if kind == "bsa":
        return body_surface_cm2(weight, height)
    sex = _one(headers, "PatientSex")
    if sex not in ("M", "F"):
        raise headers[0].error("the patient's sex, on which lean body mass depends, is missing", _ASK)
    formula = james_lean_mass_kg if kind == "james" else lean_body_mass_kg
    mass = formula(weight, height, "M" if sex == "M" else "F")
    if mass <= 0:
        raise headers[0].error("the lean body mass is not positive: weight and height do not fit", _ASK)
    return 1000 * mass


def _positive(headers: Sequence[Header], keyword: str, what: str, unit: str, limits: tuple[float, float]) -> float:
    """A number that all slices share and that can be true."""
    _one(headers, keyword)
    first = headers[0]
    value = first.number(keyword)
    if not value:
        raise first.error(f"{what} ({keyword}) is {'missing' if value is None else 'zero'}", _ASK)
    if not limits[0] <= value <= limits[1]:
        raise first.error(f"{what} ({keyword}) of {value:g} {unit} cannot be true; another unit?",
                          "Ask the site for the value and its unit; it is not guessed")
    return value


def _one(headers: Sequence[Header], keyword: str) -> str:
    """The value of a tag that must be the same on all slices, as text."""
    reference = headers[0].text(keyword)
    for header in headers:
        if header.text(keyword) != reference:
            raise header.error(f"{keyword} differs from the other slices'", "Export the whole series again")
    return reference
