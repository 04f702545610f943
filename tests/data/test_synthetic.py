"""The synthetic cohort: the truth is in it, and nothing but the seed decides."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
from sksurv.linear_model import CoxPHSurvivalAnalysis
from sksurv.util import Surv

from medomicslab_nb.data.images import import_image_list
from medomicslab_nb.data.synthetic import EFFECTS, ORACLE_C, draw_cohort
from medomicslab_nb.data.synthetic_dicom import ROI, write_images
from medomicslab_nb.data.synthetic_images import SCANNERS, contours, grid, mask, scan, scene_of
from medomicslab_nb.data.synthetic_notes import draw_notes
from medomicslab_nb.data.synthetic_omics import FEATURE_OF, GENE_A, GENE_B, gene_roles
from medomicslab_nb.data.synthetic_study import add_cohort
from medomicslab_nb.data.synthetic_tumour import draw_tumour
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import find_endpoint
from medomicslab_nb.evaluation.metrics import c_index
from medomicslab_nb.imaging.masks import list_rois, load_mask
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.imaging.volumes import read_labels, read_volume
from medomicslab_nb.models.blocks import build_design

SMALL = {"CT": (60, 50, 12), "PT": (40, 36, 9)}


@pytest.fixture(scope="module")
def cohort():
    return draw_cohort(40, seed=3)


@pytest.fixture(scope="module")
def folder(cohort, tmp_path_factory) -> Path:
    """The images of the first three patients (one per hospital is among them), in small."""
    path = tmp_path_factory.mktemp("images")
    write_images(draw_cohort(3, seed=3), path, sizes=SMALL)
    return path


def _digest(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*.*"))}


# -- truth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patients", [60, 400])
def test_oracle_c_is_between_72_and_78_for_every_seed(patients):
    values = [draw_cohort(patients, seed=seed).oracle_c for seed in range(8)]
    assert min(values) >= ORACLE_C[0]
    assert max(values) <= ORACLE_C[1]
    assert len(set(values)) == len(values)


def test_oracle_c_needs_little_choice_among_draws():
    """The effects give it by themselves: what the first draw of 3,000 patients shows."""
    from medomicslab_nb.data.synthetic import _times

    predictor = draw_cohort(3000, seed=0).truth["linear_predictor"].to_numpy()
    days, event = _times(predictor, 1, 0)
    assert ORACLE_C[0] < c_index(event, days.astype(float), predictor) < ORACLE_C[1]


def test_twin_has_the_same_patients_and_no_effect(cohort):
    twin = draw_cohort(40, seed=3, null=True)
    survival = ["os_days", "os_event", "last_contact_date"]
    pd.testing.assert_frame_equal(twin.clinical.drop(columns=survival), cohort.clinical.drop(columns=survival))
    pd.testing.assert_frame_equal(twin.genes, cohort.genes)
    assert not twin.truth["linear_predictor"].any()
    assert twin.oracle_c == 0.5
    assert not twin.clinical["os_days"].equals(cohort.clinical["os_days"])


def test_survival_has_exactly_the_stated_effects():
    cohort = draw_cohort(2500, seed=1)
    followers = [gene for gene, role in gene_roles().items() if role == f"decoy of {GENE_A}"]
    predictors = cohort.truth[list(EFFECTS)].join(cohort.genes[followers].astype(float)).join(
        pd.get_dummies(cohort.clinical["hospital"], dtype=float).iloc[:, 1:])
    outcome = Surv.from_arrays(cohort.clinical["os_event"], cohort.clinical["os_days"])
    coefficients = pd.Series(CoxPHSurvivalAnalysis().fit(predictors, outcome).coef_, index=predictors.columns)
    assert (coefficients[list(EFFECTS)] - pd.Series(EFFECTS)).abs().max() < 0.12  # four standard errors of .03
    assert coefficients[followers].abs().max() < 0.12
    assert coefficients[["beta", "gamma"]].abs().max() < 0.25


def test_documentation_states_the_effects():
    text = (Path(__file__).parents[2] / "docs" / "synthetic.md").read_text(encoding="utf-8")
    stated = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| (-?[\d.]+) \|", text, flags=re.MULTILINE))
    assert {name: float(value) for name, value in stated.items()} == dict(EFFECTS)


def test_genes_have_two_true_ones_among_correlated_decoys():
    roles = gene_roles()
    assert roles.index.is_unique and len(roles) == 500
    assert set(roles.index[roles == "true"]) == {GENE_A, GENE_B} <= set(FEATURE_OF.values())
    cohort = draw_cohort(400, seed=2)
    decoys = roles.index[roles == f"decoy of {GENE_A}"]
    correlation = cohort.genes[decoys].corrwith(cohort.truth[GENE_A]).to_numpy()
    assert len(decoys) == 10
    assert correlation.min() > 0.2 and 0.6 < correlation.max() < 0.85
    assert np.corrcoef(cohort.genes[GENE_A], cohort.truth[GENE_A])[0, 1] > 0.85


def test_hospitals_shift_genes_and_images(cohort):
    larger = draw_cohort(300)
    by_hospital = larger.genes.groupby(larger.clinical["hospital"]).mean()
    assert by_hospital.std().median() > 0.15
    assert cohort.clinical["hospital"].nunique() == len(SCANNERS) == 3
    assert len({scanner.ct_spacing_mm + scanner.pt_spacing_mm for scanner in SCANNERS.values()}) == 3


def test_prediction_never_sees_the_truth(study):
    add_cohort(study, draw_cohort(60), images=False)
    design = build_design(study, find_endpoint(study, "os"), blocks={}, predictors={})
    assert set(design.blocks) == {"clinical", "genes", "radiomics"}
    assert not set(design.frame) & set(draw_cohort(5).truth.columns) - {"age", GENE_A, GENE_B}
    assert set(FEATURE_OF.values()) <= set(design.frame)
    assert {"os_days", "os_event", "hospital", "imaging_date"}.isdisjoint(design.frame)
    assert len(design.frame) == 60


def test_number_of_patients_is_checked():
    with pytest.raises(DataError, match="1 to 9999"):
        draw_cohort(0)


# -- determinism ------------------------------------------------------------------------------------------------------


def test_first_patients_of_a_larger_cohort_are_those_of_a_smaller_one(cohort):
    larger = draw_cohort(60, seed=3)
    own = ["os_days", "os_event", "last_contact_date"]
    pd.testing.assert_frame_equal(larger.clinical.head(40).drop(columns=own), cohort.clinical.drop(columns=own))
    pd.testing.assert_frame_equal(larger.truth.head(40), cohort.truth)


def test_same_seed_same_bytes(folder, tmp_path):
    write_images(draw_cohort(3, seed=3), tmp_path / "again", sizes=SMALL)
    assert _digest(tmp_path / "again") == _digest(folder)
    write_images(draw_cohort(3, seed=4), tmp_path / "other", sizes=SMALL)
    assert set(_digest(tmp_path / "other").values()).isdisjoint(_digest(folder).values())


def test_files_tell_nothing_of_clock_or_machine(cohort, folder):
    for path in folder.glob("dicom/SYN-0001/**/*1.dcm"):
        item = pydicom.dcmread(path)
        uids = [element.value for element in item.iterall() if element.VR == "UI" and "Instance" in element.keyword]
        assert all(uid.startswith("2.25.") or "Study" in uid for uid in uids if not uid.startswith("1.2.840.10008"))
        assert item.file_meta.ImplementationVersionName == "SYNTHETIC_1"
        assert item.file_meta.ImplementationClassUID.startswith("2.25.")
        assert item.StudyDate == f"{cohort.clinical.loc['SYN-0001', 'imaging_date']:%Y%m%d}"


# -- images -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("patient", ["SYN-0001", "SYN-0002", "SYN-0003"])
@pytest.mark.parametrize("modality", ["CT", "PT"])
def test_dicom_and_nifti_hold_the_same_voxels_and_masks(folder, patient, modality):
    dicom, nifti = folder / "dicom" / patient, folder / "nifti" / patient
    read = load_series(sorted((dicom / modality).glob("*.dcm")))
    image = read_volume(nifti / f"{modality}_image.nii.gz")
    assert read.geometry.same_as(image.geometry)
    assert read.unit == {"CT": "HU", "PT": "SUVbw"}[modality]
    assert np.allclose(read.array, image.array, rtol=1e-6, atol=1e-6)
    assert list_rois(dicom / f"{modality}_contours.dcm") == (ROI,)
    contoured = load_mask(dicom / f"{modality}_contours.dcm", ROI, read)
    assert np.array_equal(contoured.array, read_labels(nifti / f"{modality}_mask.nii.gz").array > 0)
    assert contoured.array.any()


def test_nifti_folder_is_one_that_can_be_imported(folder, study):
    import_image_list(study, folder / "nifti")
    images = study.table("images")
    assert images["problem"].eq("").all()
    assert images.groupby("patient")["modality"].agg(sorted).tolist() == [["CT", "PT"]] * 3


def test_pet_slices_have_their_own_slopes(folder):
    slopes = [float(pydicom.dcmread(path).RescaleSlope) for path in (folder / "dicom/SYN-0001/PT").glob("*.dcm")]
    assert len(set(slopes)) == len(slopes) == SMALL["PT"][2]


def test_decay_is_corrected_in_both_ways(cohort):
    ways = {SCANNERS[hospital].decay_correction for hospital in cohort.clinical["hospital"].head(3)}
    assert ways == {"START", "ADMIN"}


def test_tumour_lies_on_the_side_that_the_table_says(cohort):
    for number, side in enumerate(cohort.clinical["side"].head(12)):
        scene = scene_of(cohort, number)
        volume = mask(scene, grid(scene, "CT"))
        x = volume.geometry.to_points(np.argwhere(volume.array)[:, ::-1])[:, 0].mean()
        assert (x > 15) if side == "left" else (x < -15)


@pytest.mark.parametrize("volume_ml", [1.6, 12.0, 83.0])
def test_volume_of_a_tumour_is_exact(volume_ml):
    tumour = draw_tumour(volume_ml, np.random.default_rng(0))
    fine = np.arange(-40, 40.1, 0.8)
    inside = tumour.depth_mm(fine[None, None, :], fine[None, :, None], fine[:, None, None]) > 0
    assert tumour.volume_ml == pytest.approx(volume_ml)
    assert inside.sum() * 0.8**3 / 1000 == pytest.approx(volume_ml, rel=0.02)
    outline = tumour.outline(0.3 * tumour.axes_mm[2], 48)
    on_surface = tumour.depth_mm(outline[:, 0], outline[:, 1], np.full(48, 0.3 * tumour.axes_mm[2]))
    assert np.abs(on_surface).max() < 1e-9
    assert not len(tumour.outline(1.01 * tumour.axes_mm[2]))


def test_images_show_the_true_quantities(cohort):
    measured = []
    for number in range(40):
        scene = scene_of(cohort, number)
        image = scan(scene, "PT", grid(scene, "PT"))
        inside = image.array[mask(scene, image.geometry).array]
        measured.append({"volume_ml": len(inside) * image.geometry.voxel_mm3 / 1000, "suv_mean": inside.mean(),
                         "uptake_cv": inside.std() / inside.mean()})
    frame = pd.DataFrame(measured, index=cohort.truth.index)
    correlation = frame.corrwith(cohort.truth[frame.columns], method="spearman")
    assert correlation["volume_ml"] > 0.98
    assert correlation["suv_mean"] > 0.9
    assert correlation["uptake_cv"] > 0.6


def test_contours_lie_in_the_planes_of_the_slices(cohort):
    scene = scene_of(cohort, 0)
    geometry = grid(scene, "PT")
    heights = {points[0, 2] for points in contours(scene, geometry)}
    planes = {round(geometry.origin_mm[2] + k * geometry.spacing_mm[2], 4) for k in range(geometry.size[2])}
    assert heights <= planes
    assert all(np.ptp(points[:, 2]) == 0 for points in contours(scene, geometry))


# -- notes ------------------------------------------------------------------------------------------------------------


def test_notes_agree_with_the_table(cohort):
    notes = draw_notes(cohort)
    assert set(notes["language"]) == {"fr", "en"}
    assert notes.groupby("patient").size().eq(2).all()
    assert notes["note"].is_unique
    assert not notes["text"].str.contains(r"[{}]|nan|None").any()
    for patient, texts in notes.groupby("patient")["text"]:
        row, truth, text = cohort.clinical.loc[patient], cohort.truth.loc[patient], " ".join(texts)
        assert re.search(rf"{row['t_stage']} ?{row['n_stage']} ?M0", text)
        assert re.search(rf"(ECOG|OMS|status)\D{{1,6}}{row['ecog']}\b", text)
        assert re.search(rf"\b{row['age']}\b", text)
        length = truth["length_mm"]
        assert f"{length:.0f} " in text or f"{length / 10:.1f} x" in text.replace(",", ".")
        if row["pack_years"] > 0:
            assert f"{row['pack_years']:.0f} " in text
        if row["smoking"] == "never":
            assert "pack-years" not in text and "PA" not in text.replace("PACS", "")


def test_notes_are_dated_before_the_start_of_treatment(cohort):
    notes = draw_notes(cohort)
    assert (notes["date"] < notes["patient"].map(cohort.clinical["index_date"])).all()


def test_french_notes_have_accents_commas_and_agreement(cohort):
    notes = draw_notes(cohort)
    french = " ".join(notes.loc[notes["language"] == "fr", "text"])
    assert re.search(r"\d,\d", french)
    assert "é" in french
    assert "de le " not in french and "(e)" not in french
