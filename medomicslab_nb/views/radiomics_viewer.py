"""The view of the radiomics stage: images and ROIs before the run, contours and sizes after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from medomicslab_nb.errors import MedomicsError
from medomicslab_nb.protect import scrub
from medomicslab_nb.record import RunRecord
from medomicslab_nb.views.data_loader import figures
from medomicslab_nb.views.front_end import interactive
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.record_view import Bundle
from medomicslab_nb.views.stage_view import StageView

if TYPE_CHECKING:
    from medomicslab_nb.radiomics.settings import RadiomicsSettings
    from medomicslab_nb.views.image_tools import ImageTools

_FIGURES = ("lesions", "failures")
_MOST_ROIS = 40
_USUAL = ("original_glcm_joint_entropy_3d_avg", "original_statistics_mean_intensity", "original_ngtdm_coarseness_3d")


class RadiomicsViewer(StageView):
    """Which images and ROIs the study has, the images themselves, and what was measured.

    Attributes
    ----------
    images : ImageTools or None
        The viewer and its choices, where somebody looks.
    """

    images: ImageTools | None = None

    def before(self) -> str:
        """What the study offers, as HTML."""
        images = self._images()
        if images is None:
            return heading(text("images")) + escape(text("no_images"))
        return heading(text("images")) + table([text("modality"), text("patients"), "ROI", text("problems")],
                                               _by_modality(images)) + \
            heading("ROI") + table(["ROI", text("modality"), text("patients")], _by_roi(images)) + \
            ("" if interactive() else self._still())

    def tools(self) -> tuple[Any, ...]:
        """Looking through the images."""
        if self._images() is None:
            return ()
        from medomicslab_nb.views.image_tools import ImageTools

        self.images = ImageTools(self.study, self._map_settings, self._features)
        return (self.images.widget,)

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Names of ROIs and modalities."""
        images = self._images()
        if images is None:
            return {}
        return {"rois": tuple(sorted({*images["roi"]} - {""})), "modalities": tuple(sorted({*images["modality"]}))}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, contours and figures of a finished run; its lesions can be opened in the viewer then."""
        if self.images is not None and "lesions" in record.tables:
            self.images.offer_lesions(record.table("lesions").to_dict("records"), self.study.id_column)
        return [*super().result(record), *_contours(record), *figures(record, _FIGURES)]

    def _still(self) -> str:
        """The first image with a ROI, or the first one, in three planes; nothing that names a patient."""
        from medomicslab_nb.imaging.display import displayed
        from medomicslab_nb.views.study_images import images_of
        from medomicslab_nb.views.viewer_content import masks_on, still

        found = [image for images in images_of(self.study).values() for image in images]
        image = next((one for one in found if one.rois), found[0] if found else None)
        if image is None:
            return ""
        identifiers = self.study.identifiers()
        try:
            volume = image.load()
            rois, _ = image.masks(volume)
            named = {scrub(name, identifiers): mask for name, mask in masks_on(volume, rois).items()}
            return still(displayed(volume), named, image.modality, image.modality)["text/html"]
        except MedomicsError as error:
            return escape(scrub(str(error), identifiers))

    def _map_settings(self) -> RadiomicsSettings:
        """Those of the newest run that published features, else those of the form."""
        from medomicslab_nb.radiomics.settings import RadiomicsSettings

        measured = self._measured()
        return RadiomicsSettings.parse(measured[-1].settings if measured else self.settings.canonical())

    def _measured(self) -> list[RunRecord]:
        """Runs that published features, oldest first."""
        return [record for record in self.study.runs if record.status == "completed" and "features" in record.tables]

    def _features(self, modality: str) -> tuple[str, ...]:
        """Features of an image that can be mapped: those that were measured, else a few usual ones."""
        from medomicslab_nb.radiomics.feature_map import parse_feature

        runs = self._measured()
        columns = [str(name) for name in runs[-1].table("features").columns] if runs else []
        names = [f"{modality}_{name}" for name in _USUAL] + [name for name in columns
                                                              if name.startswith(f"{modality}_")]
        return tuple(name for name in dict.fromkeys(names) if _has_map(name, parse_feature))

    def _images(self) -> pd.DataFrame | None:
        if "images" not in self.study.tables:
            return None
        found = self.study.table("images").fillna({"roi": "", "problem": ""})
        identifiers = self.study.identifiers()
        # In many cohorts a ROI's name begins with the patient's identifier.
        clean = {name: scrub(str(name), identifiers) for name in found["roi"].unique()}
        return found.assign(roi=found["roi"].map(clean))


def _has_map(name: str, parse: Callable[[str], object]) -> bool:
    try:
        parse(name)
    except MedomicsError:
        return False
    return True


def _by_modality(images: pd.DataFrame) -> list[list[str]]:
    return [[modality, str(part.index.nunique()), str(int((part["mask"] != "").sum())),
             str(int((part["problem"] != "").sum()))] for modality, part in images.groupby("modality")]


def _by_roi(images: pd.DataFrame) -> list[list[str]]:
    groups = images[images["roi"] != ""].groupby(["roi", "modality"])
    return [[roi, modality, str(part.index.nunique())] for (roi, modality), part in groups][:_MOST_ROIS]


def _contours(record: RunRecord) -> list[Bundle]:
    from medomicslab_nb.report.evidence import gallery

    shown = gallery(record)
    pictures = "".join(f'<figure style="display:inline-block;margin:4px;width:130px"><img src="{picture["source"]}" '
                       f'style="width:130px;height:130px;object-fit:contain;background:black" '
                       f'alt="{escape(picture["caption"])}"><figcaption style="font-size:11px">'
                       f'{escape(picture["caption"])}</figcaption></figure>' for picture in shown)
    return [{"text/html": heading(text("contours")) + pictures,
             "text/plain": f"{text('contours')}: {len(shown)}"}] if shown else []
