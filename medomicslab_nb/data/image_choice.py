"""Which series, ROIs and doses of a scan somebody chose, and the scan without everything else.

A choice names things by their UIDs, so that it holds for a later scan of the same files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from medomicslab_nb.data.image_scan import Contours, ImageScan, series_key
from medomicslab_nb.imaging.dicom_headers import Header
from medomicslab_nb.imaging.series import Series
from medomicslab_nb.pseudonyms import Key


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes
    ----------
    series : frozenset of (patient, series_key)
    rois : mapping of (object_uid, series_uid) to places
        For each file of contours and each series that it is drawn on, the places of the chosen ROIs among its labels.
    doses : frozenset of object_uid
    """

    series: frozenset[tuple[str, str]] = frozenset()
    rois: Mapping[tuple[str, str], Collection[int]] = field(default_factory=dict)
    doses: frozenset[str] = frozenset()

    def pseudonymous(self, key: Key) -> Choice:
        """The same ROIs and doses as the copies that are de-identified with that key name them.

        Of series nothing is said: only the chosen ones are copied.
        """
        return Choice(rois={(key.uid(uid), key.uid(series)): places for (uid, series), places in self.rois.items()},
                      doses=frozenset(key.uid(uid) for uid in self.doses))


def choose(found: ImageScan, series: Mapping[int, Collection[int]], doses: Collection[int] = ()) -> Choice:
    """The choice of series by their places in the scan, each with places among :func:`rois_of` the series."""
    rois: dict[tuple[str, str], set[int]] = {}
    for place, chosen in series.items():
        for number, (contours, label) in enumerate(rois_of(found, found.series[place])):
            if number in chosen:
                rois.setdefault((object_uid(contours.header), found.series[place].series_uid), set()).add(label)
    return Choice(frozenset(_name(found.series[place]) for place in series), rois,
                  frozenset(object_uid(found.doses[place]) for place in doses))


def rois_of(found: ImageScan, series: Series) -> list[tuple[Contours, int]]:
    """Every ROI drawn on a series: its file, and its place among the file's labels."""
    return [(one, place) for one in found.contours_on(series) for place in range(len(one.labels))]


def chosen_only(found: ImageScan, choice: Choice) -> ImageScan:
    """The scan without what was not chosen. Registrations stay: they are looked at where they are needed only."""
    series = tuple(one for one in found.series if _name(one) in choice.series)
    kept = set(map(id, series))
    contours = [replace(one, series=tuple(each for each in one.series if id(each) in kept))
                for one in found.contours]
    return chosen_rois_only(replace(found, series=series, contours=tuple(contours)), choice)


def chosen_rois_only(found: ImageScan, choice: Choice) -> ImageScan:
    """All series of the scan, with the chosen ROIs and doses only."""
    return replace(found, contours=tuple(part for one in found.contours for part in _chosen_parts(one, choice)),
                   doses=tuple(one for one in found.doses if object_uid(one) in choice.doses))


def _chosen_parts(contours: Contours, choice: Choice) -> list[Contours]:
    """A file's chosen ROIs, those that were chosen on the same series together; no ROI is in two parts."""
    uid, parts = object_uid(contours.header), dict[tuple[int, ...], list[str]]()
    for place, label in enumerate(contours.labels):
        on = tuple(number for number, series in enumerate(contours.series)
                   if place in choice.rois.get((uid, series.series_uid), ()))
        if on:
            parts.setdefault(on, []).append(label)
    return [replace(contours, labels=tuple(labels), series=tuple(contours.series[number] for number in on))
            for on, labels in parts.items()]


def object_uid(header: Header) -> str:
    """What names a DICOM object; its path where it has no name."""
    return str(header.values.get("SOPInstanceUID", "")) or str(header.file)


def _name(series: Series) -> tuple[str, str]:
    return series.patient_id, series_key(series)
