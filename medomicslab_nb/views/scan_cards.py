"""What is shown of each series of a scan, as JSON types. Patients stand in it: it is sent, never synced or stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from medomicslab_nb.data.image_choice import rois_of
from medomicslab_nb.data.image_scan import IMAGES_OF, ImageScan
from medomicslab_nb.data.image_table import modality_code
from medomicslab_nb.data.images import ImportReport
from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE
from medomicslab_nb.imaging.roi_names import match_rois
from medomicslab_nb.imaging.series import Series
from medomicslab_nb.views.language import text

_MOST_REASONS = 20


def cards(found: ImageScan) -> list[dict[str, Any]]:
    """One card a series or dose, by patient; ``key`` is its place in the scan, ``s`` or ``d`` before it."""
    made = [_series_card(found, one, place) for place, one in enumerate(found.series)]
    made += [_dose_card(header, place) for place, header in enumerate(found.doses)]
    return sorted(made, key=lambda card: str(card["patient"]))


def _series_card(found: ImageScan, one: Series, place: int) -> dict[str, Any]:
    problem = one.problem or ("" if one.modality in IMAGES_OF else text("not_an_image"))
    rois = [{"name": contours.labels[label], "problem": contours.problems.get(contours.labels[label], "")}
            for contours, label in rois_of(found, one)]
    return {"key": f"s{place}", "patient": one.patient_id, "modality": one.modality, "date": _day(one.date),
            "description": one.description, "files": len(one.files), "size": _size_mm(one.geometry), "rois": rois,
            "problem": problem, "warnings": list(one.warnings), "usable": not problem, "picture": not problem}


def _dose_card(header: Header, place: int) -> dict[str, Any]:
    return {"key": f"d{place}", "patient": str(header.values.get("PatientID", "")), "modality": DOSE,
            "date": _day(header.date), "description": str(header.values.get("SeriesDescription", "")), "files": 1,
            "size": "", "rois": [], "problem": "", "warnings": [], "usable": True, "picture": False}


def _day(date: Any) -> str:
    return "" if date is None else date.isoformat()


def _size_mm(geometry: Geometry | None) -> str:
    """Extent along x, y and z."""
    if geometry is None:
        return ""
    return " x ".join(f"{n * spacing:.0f}" for n, spacing in zip(geometry.size, geometry.spacing_mm, strict=True)) \
        + " mm"


def matching(found: ImageScan, patterns: Sequence[str]) -> dict[str, list[int]]:
    """For each series the places of the ROIs that one of the patterns describes, as the import matches them.

    Raises
    ------
    DataError
        No ROI fits.
    """
    chosen: dict[str, list[int]] = {}
    for place, one in enumerate(found.series):
        drawn = rois_of(found, one)
        fitting = {(id(contours), contours.labels.index(label)) for contours in found.contours_on(one)
                   for label in match_rois(contours.labels, patterns)}
        hits = [number for number, (contours, label) in enumerate(drawn) if (id(contours), label) in fitting]
        if hits and not one.problem and one.modality in IMAGES_OF:
            chosen[f"s{place}"] = hits
    if not chosen:
        raise DataError(f"no ROI fits {', '.join(patterns)}", where="scan", todo="Try another pattern, such as GTV*")
    return chosen


def counted(found: ImageScan) -> dict[str, Any]:
    """How much was found: numbers only, which may be stored."""
    modalities = [modality_code(one.modality) for one in found.series if one.modality in IMAGES_OF]
    return {"patients": len({one.patient_id for one in found.series}), "series": len(found.series),
            "modalities": {name: modalities.count(name) for name in sorted(set(modalities))},
            "rois": sum(len(one.labels) for one in found.contours)}


def report_lines(report: ImportReport) -> list[str]:
    """What an import did, in sentences."""
    lines = [text("report_added", patients=report.patients, series=report.series, rois=report.rois)]
    for key, counts in (("report_left_out", report.rejected), ("report_problem", report.problems)):
        lines += [text(key, n=n, reason=reason) for reason, n in list(counts.items())[:_MOST_REASONS]]
    lines += [text("report_flag", n=n, flag=flag, finding=finding) for flag, finding, n in report.flags_summed()]
    return [*lines, *report.notes]
