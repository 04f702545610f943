"""Choosing among a study's images: what was saved since appears, lesions open their own image, nobody is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.images import import_image_list
from medomicslab_nb.data.mask_edits import open_draft
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.study import Study
from medomicslab_nb.views.image_tools import ImageTools
from tests.views.test_study_images import one_ct

GRID = Geometry((6, 7, 5), (1.0, 1.0, 2.0))
IMAGES = [("PAT-0001", "CT", "2020-01-02"), ("PAT-0001", "CT", "2021-01-02"), ("PAT-0001", "PT", "2020-01-02"),
          ("PAT-0002", "CT", "2020-01-02")]


def tools_of(study: Study) -> ImageTools:
    return ImageTools(study, RadiomicsSettings, lambda modality: (f"{modality}_a", f"{modality}_b"))


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[ImageTools]:
    """Three images of one patient, one of another; each has the ROIs GTV and node."""
    given, rows, rng = tmp_path / "given", [], np.random.default_rng(0)
    given.mkdir()
    for number, (patient, modality, day) in enumerate(IMAGES):
        write_volume(Volume(rng.normal(size=GRID.shape).astype(np.float32), GRID), given / f"{number}.nii.gz")
        for roi in ("GTV", "node"):
            write_volume(Volume(rng.random(GRID.shape) > 0.5, GRID), given / f"{roi}{number}.nii.gz")
            rows.append({"patient": patient, "modality": modality, "image": f"{number}.nii.gz", "date": day,
                         "mask": f"{roi}{number}.nii.gz", "roi": roi})
    pd.DataFrame(rows).to_csv(given / "list.csv", index=False)
    study = ml.create_study(tmp_path / "study")
    import_image_list(study, given / "list.csv")
    made = tools_of(study)
    yield made
    made.close_viewer()


def save_roi(tools: ImageTools) -> None:
    """As the viewer does for the chosen ROI."""
    draft = open_draft(tools._study, tools.roi.value, GRID)
    draft.paint(np.arange(20), True, begin=True, end=True)
    draft.save("edited", "Ada")


def names(tools: ImageTools) -> list[str]:
    return [label for label, _ in tools.roi.options]


def lesion(tools: ImageTools, **about: Any) -> None:
    """Open a lesion of a run."""
    row = {"patient": "PAT-0001", "modality": "CT", "roi": "GTV", "date": pd.Timestamp("2021-01-02"), "volume_ml": 1.0}
    tools.offer_lesions([{**row, **about}], "patient")
    tools.lesion.index = 1


def test_saved_roi_appears_when_one_comes_back_to_the_patient(tools: ImageTools) -> None:
    save_roi(tools)
    tools.forth.click()
    tools.back.click()
    assert names(tools) == ["GTV", "node", "edited"]


def test_saved_roi_appears_when_the_image_is_opened_again_and_the_choice_stays(tools: ImageTools) -> None:
    tools.image.index = 1
    tools.open.click()
    tools.roi.index, tools.map.feature.value = 1, "CT_b"
    save_roi(tools)
    tools.fusion.index = 2
    assert (tools.image.label, tools.fusion.label, tools.roi.label) == ("CT 2021-01-02", "PT 2020-01-02", "node")
    assert names(tools) == ["GTV", "node", "edited"] and tools.map.feature.value == "CT_b"
    assert [one["name"] for one in tools.viewer.rois] == ["GTV", "node", "edited"]
    assert len(tools.viewer.images) == 2 and not tools.surface.disabled


def test_lesion_opens_the_image_of_its_date(tools: ImageTools) -> None:
    lesion(tools, roi="node")
    assert (tools.image.label, tools.roi.label) == ("CT 2021-01-02", "node")
    assert tools.viewer is not None and "mlab-fault" not in tools.status.value


def test_lesion_of_a_roi_that_was_saved_since_is_found(tools: ImageTools) -> None:
    save_roi(tools)
    lesion(tools, roi="edited", date=pd.Timestamp("2020-01-02"))
    assert (tools.image.label, tools.roi.label) == ("CT 2020-01-02", "edited")


@pytest.mark.parametrize("about", [{"date": pd.NaT}, {"date": pd.Timestamp("2019-01-02")}, {"roi": "gone"},
                                   {"patient": "PAT-0009"}, {"modality": "MR"}])
def test_lesion_that_no_image_fits_opens_nothing_and_says_so(tools: ImageTools, about: dict[str, Any]) -> None:
    tools.patient.value = "PAT-0002"
    lesion(tools, **about)
    assert tools.viewer is None and tools.patient.value == "PAT-0002"
    assert "no image with this lesion" in tools.status.value and "mlab-fault" in tools.status.value


def test_lesion_without_a_date_opens_the_image_without_a_date(tmp_path: Path) -> None:
    tools = tools_of(one_ct(tmp_path))
    lesion(tools, date=pd.NaT, roi="node of PAT-0001")
    assert tools.viewer is not None and tools.image.label == "CT"
    tools.close_viewer()


def test_surface_names_no_patient(tmp_path: Path) -> None:
    tools = tools_of(one_ct(tmp_path))
    tools.surface.click()
    [output] = tools.output.outputs
    [trace] = output["data"]["application/vnd.plotly.v1+json"]["data"]
    assert trace["name"] == "node of [redacted]" and "PAT-0001" not in str(output)
