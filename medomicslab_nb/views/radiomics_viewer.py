"""The view of the radiomics stage: images and ROIs before the run, contours and sizes after it."""

from __future__ import annotations

import pandas as pd

from medomicslab_nb.record import RunRecord
from medomicslab_nb.views.data_loader import figures
from medomicslab_nb.views.language import text
from medomicslab_nb.views.markup import escape, heading, table
from medomicslab_nb.views.record_view import Bundle
from medomicslab_nb.views.stage_view import StageView

_FIGURES = ("lesions", "failures")
_MOST_ROIS = 40


class RadiomicsViewer(StageView):
    """Which images and ROIs the study has, and what was measured."""

    def before(self) -> str:
        """What the study offers, as HTML."""
        images = self._images()
        if images is None:
            return heading(text("images")) + escape(text("no_images"))
        return heading(text("images")) + table([text("modality"), text("patients"), "ROI", text("problems")],
                                               _by_modality(images)) + \
            heading("ROI") + table(["ROI", text("modality"), text("patients")], _by_roi(images))

    def suggestions(self) -> dict[str, tuple[str, ...]]:
        """Names of ROIs and modalities."""
        images = self._images()
        if images is None:
            return {}
        return {"rois": tuple(sorted({*images["roi"]} - {""})), "modalities": tuple(sorted({*images["modality"]}))}

    def result(self, record: RunRecord) -> list[Bundle]:
        """Summary, contours and figures of a finished run."""
        return [*super().result(record), *_contours(record), *figures(record, _FIGURES)]

    def _images(self) -> pd.DataFrame | None:
        return self.study.table("images").fillna({"roi": "", "problem": ""}) if "images" in self.study.tables else None


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
