"""The radiomics view: images, fusion, surface and map where somebody looks; else a picture without a name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.images import import_image_list
from medomicslab_nb.errors import DataError, MissingExtraError, SettingsError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.study import Study
from medomicslab_nb.views import radiomics_viewer, stage_view, surface
from medomicslab_nb.views.radiomics_viewer import RadiomicsViewer
from medomicslab_nb.views.surface import show_volume, surface_figure

CT = Geometry((24, 22, 14), (2.0, 2.0, 3.0), (-24.0, -22.0, -21.0))
PT = Geometry((12, 11, 10), (4.0, 4.0, 4.0), (-24.0, -22.0, -20.0))
PATIENTS = ("PAT-0001", "PAT-0002")


def ball(geometry: Geometry, radius_mm: float = 9.0) -> Volume:
    k, j, i = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([i.ravel(), j.ravel(), k.ravel()], axis=1))
    return Volume((np.linalg.norm(points, axis=1) < radius_mm).reshape(geometry.shape), geometry)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """CT with two ROIs and PET with one, for two patients, measured once."""
    folder, rng = tmp_path_factory.mktemp("radiomics"), np.random.default_rng(4)
    given, rows = folder / "given", []
    given.mkdir()
    for patient in PATIENTS:
        for modality, geometry, unit, rois in (("CT", CT, "HU", ("GTV", f"node of {patient}")),
                                               ("PT", PT, "SUVbw", ("GTV",))):
            mask = ball(geometry)
            image = Volume((rng.normal(0, 1, geometry.shape) + 4 * mask.array).astype(np.float32), geometry)
            name = f"{patient}-{modality}.nii.gz"
            write_volume(image, given / name)
            for place, roi in enumerate(rois):
                write_volume(ball(geometry, 9.0 - 2 * place), given / f"{place}-{name}")
                rows.append({"patient": patient, "modality": modality, "image": name, "mask": f"{place}-{name}",
                             "roi": roi, "date": "2020-01-02", "unit": unit})
    pd.DataFrame(rows).to_csv(given / "list.csv", index=False)
    study = ml.create_study(folder / "study")
    import_image_list(study, given / "list.csv")
    ml.run("radiomics", study, {"preset": "plain", "rois": ["GTV"]}, sinks=[])
    return study


@pytest.fixture
def view(whole: Study, monkeypatch: pytest.MonkeyPatch) -> Iterator[RadiomicsViewer]:
    """As if a person looked at the notebook."""
    monkeypatch.setattr(stage_view, "interactive", lambda: True)
    monkeypatch.setattr(radiomics_viewer, "interactive", lambda: True)
    made = ml.view("radiomics", whole, {"preset": "plain"})
    yield made
    made.images.close_viewer()


def test_nothing_is_loaded_before_somebody_asks(view: RadiomicsViewer) -> None:
    tools = view.images
    assert tools.viewer is None
    assert tools.patient.options == PATIENTS
    assert [label for label, _ in tools.image.options] == ["CT 2020-01-02", "PT 2020-01-02"]
    assert [label for label, _ in tools.roi.options] == ["GTV", "node of PAT-0001"]
    assert [label for label, _ in tools.fusion.options] == ["none", "PT 2020-01-02"]


def test_open_fuse_and_go_to_the_next_patient(view: RadiomicsViewer) -> None:
    tools = view.images
    tools.open.click()
    first = tools.viewer
    assert [one["name"] for one in first.rois] == ["GTV", "node of PAT-0001"] and first.can_edit
    assert first.view["index"] == [12, 11, 7]
    tools.fusion.value = tools.fusion.options[1][1]
    second = tools.viewer
    assert second is not first and first.comm is None
    assert [one["modality"] for one in second.images] == ["CT", "PT"] and second.view["overlay"] == "fusion"
    assert tools.back.disabled and not tools.forth.disabled
    tools.forth.click()
    assert tools.patient.value == "PAT-0002" and tools.forth.disabled
    assert [one["name"] for one in tools.viewer.rois] == ["GTV", "node of PAT-0002"]
    assert len(tools.viewer.images) == 1 and tools.status.value.count("><") == 1


def test_fusion_with_another_frame_of_reference_is_refused_by_name(
        view: RadiomicsViewer, monkeypatch: pytest.MonkeyPatch) -> None:
    from medomicslab_nb.views import study_viewer

    def frames(*args: Any, **_: Any) -> None:
        raise DataError("the two images have different frames of reference")

    tools = view.images
    tools.open.click()
    monkeypatch.setattr(study_viewer, "laid_over", frames)
    tools.fusion.value = tools.fusion.options[1][1]
    assert "different frames of reference" in tools.status.value and tools.viewer is None


def test_map_of_a_feature_is_computed_by_a_thread(view: RadiomicsViewer) -> None:
    tools = view.images
    names = tools.map.feature.options
    assert "CT_original_glcm_joint_entropy_3d_avg" in names and not any("morphology" in name for name in names)
    tools.map.feature.value = "CT_original_statistics_mean_intensity"
    tools.map.start_button.click()
    tools.map.join()
    about = tools.viewer.images[-1]
    assert about["name"] == "CT_original_statistics_mean_intensity" and about["colormap"] == "viridis"
    assert tools.viewer.view["overlay"] == about["id"]
    assert "no measurement" in tools.status.value and tools.map.stop_button.disabled


def test_map_can_be_cancelled_and_what_cannot_be_mapped_is_told(view: RadiomicsViewer) -> None:
    tools = view.images
    tools.open.click()
    tools.map.feature.value = "CT_original_morphology_volume_mesh"
    tools.map.start_button.click()
    tools.map.join()
    assert "no local value" in tools.status.value
    tools.map.feature.value = "CT_original_glcm_joint_entropy_3d_avg"
    monkey = tools.map._stop.clear
    tools.map._stop.clear = lambda: None
    tools.map.cancel()
    tools.map.start_button.click()
    tools.map.join()
    tools.map._stop.clear = monkey
    assert "was cancelled" in tools.status.value and len(tools.viewer.images) == 1


def test_surface_is_a_plotly_figure(view: RadiomicsViewer) -> None:
    tools = view.images
    tools.surface.click()
    [output] = tools.output.outputs
    figure = output["data"]["application/vnd.plotly.v1+json"]
    assert figure["data"][0]["type"] == "mesh3d" and figure["data"][0]["name"] == "GTV"
    assert len(str(output)) < 600_000


def test_lesions_of_a_run_can_be_opened(view: RadiomicsViewer, whole: Study) -> None:
    tools = view.images
    bundles = view.result(whole.runs[-1])
    assert not any(patient in str(bundles) for patient in PATIENTS)
    assert len(tools.lesion.options) == 5
    tools.lesion.value = next(value for label, value in tools.lesion.options if "PAT-0002 · PT" in label)
    assert (tools.patient.value, tools.image.label, tools.roi.label) == ("PAT-0002", "PT 2020-01-02", "GTV")
    assert tools.viewer.images[0]["modality"] == "PT"


def test_nobody_looks_picture_without_a_name(whole: Study) -> None:
    view = ml.view("radiomics", whole, {"preset": "plain"})
    assert view.panel is None and view.images is None
    bundle = view._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert re.search(r"data:image/png;base64,[\w+/=]{500,}", bundle["text/html"])
    assert not any(patient in text for patient in PATIENTS for text in bundle.values())
    assert len(bundle["text/html"]) < 100_000


def test_image_that_cannot_be_loaded_is_told_in_the_still_view(whole: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from medomicslab_nb.views import study_images

    def missing(*_: Any, **__: Any) -> None:
        raise DataError("the file is missing", where="file PAT-0001.nii.gz")

    monkeypatch.setattr(study_images, "load_image", missing)
    markup = ml.view("radiomics", whole, {"preset": "plain"})._repr_mimebundle_()["text/html"]
    assert "the file is missing" in markup and "PAT-0001" not in markup


# -- 3D ------------------------------------------------------------------------------------------------------------


def test_volume_in_3d_by_plotly() -> None:
    mask = ball(CT)
    figure = show_volume(Volume(np.zeros(CT.shape, dtype=np.float32), CT), {"GTV": mask, "node": ball(CT, 5.0)})
    assert [trace.name for trace in figure.data] == ["GTV", "node"]
    assert np.abs(np.asarray(figure.data[0].x)).max() == pytest.approx(9.0, abs=1.0)
    with pytest.raises(DataError, match="no ROI"):
        surface_figure({})


def test_volume_in_3d_by_niivue() -> None:
    pytest.importorskip("ipyniivue")
    shown = show_volume(Volume(np.zeros(CT.shape, dtype=np.float32), CT), {"GTV": ball(CT)}, backend="niivue")
    assert [volume.name for volume in shown.volumes] == ["image.nii.gz", "GTV.nii.gz"]
    shown.close()


@pytest.mark.parametrize(("backend", "module", "extra"), [("niivue", "ipyniivue", "viewer3d"),
                                                          ("itk", "itkwidgets", "itk")])
def test_missing_extra_is_named_with_its_command(backend: str, module: str, extra: str,
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf'pip install "medomicslab_nb\[{extra}\]"'):
        show_volume(Volume(np.zeros(CT.shape, dtype=np.float32), CT), backend=backend)
    with pytest.raises(SettingsError, match="plotly, niivue, itk"):
        show_volume(Volume(np.zeros(CT.shape, dtype=np.float32), CT), backend="vtk")


def test_itk_says_that_it_needs_a_network_before_anything_is_loaded(
        monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []

    class Module:
        @staticmethod
        def view(_: object) -> str:
            said.append(capsys.readouterr().out)
            return "shown"

    monkeypatch.setitem(sys.modules, "itkwidgets", Module)
    assert show_volume(Volume(np.zeros(CT.shape, dtype=np.float32), CT), backend="itk") == "shown"
    assert "without a network nothing appears" in said[0]


def test_files_of_the_widgets_are_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    surface._nifti(ball(CT))
    assert list(tmp_path.iterdir()) == []
