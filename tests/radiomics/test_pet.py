"""PET metrics: worked by hand, against spheres, and against IBSI's reference values of the intensity peaks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.pet import PEAK_RADIUS_MM, centroid_mm, dmax_mm, pet_metrics, suv_peaks
from medomicslab_nb.radiomics.preprocessing import PRESETS, prepare

ANISOTROPIC = Geometry((10, 20, 30), (4.0, 3.0, 2.0), (-20.0, 7.0, 100.0))


def pet(array: np.ndarray, geometry: Geometry = ANISOTROPIC, unit: str = "SUVbw") -> Volume:
    return Volume(array.astype(np.float32), geometry, unit)


def mask(array: np.ndarray, geometry: Geometry = ANISOTROPIC) -> Volume:
    return Volume(array.astype(bool), geometry)


def box(*slices: slice) -> np.ndarray:
    array = np.zeros(ANISOTROPIC.shape, dtype=bool)
    array[slices] = True
    return array


def ball(geometry: Geometry, centre_mm: Sequence[float], radius_mm: float) -> np.ndarray:
    z, y, x = np.indices(geometry.shape)
    points = geometry.to_points(np.stack([x, y, z], axis=-1).reshape(-1, 3))
    return (np.linalg.norm(points - centre_mm, axis=1) <= radius_mm).reshape(geometry.shape)


def test_metrics_worked_by_hand():
    # Four voxels of 4 x 3 x 2 mm = 0.024 mL each, with SUV 10, 5, 4.125 and 4; 41 % of SUVmax is 4.1.
    roi = box(slice(15, 16), slice(10, 11), slice(3, 7))
    values = np.zeros(ANISOTROPIC.shape)
    values[roi] = [10, 5, 4.125, 4]
    metrics = pet_metrics(pet(values), mask(roi))
    assert metrics["suv_max"] == 10
    assert metrics["suv_mean"] == pytest.approx((10 + 5 + 4.125 + 4) / 4)
    assert metrics["volume_ml"] == pytest.approx(4 * 0.024)
    assert metrics["mtv_41_ml"] == pytest.approx(3 * 0.024)
    assert metrics["tlg_41"] == pytest.approx((10 + 5 + 4.125) * 0.024)
    assert metrics["mtv_4_ml"] == pytest.approx(4 * 0.024)
    assert metrics["tlg_4"] == pytest.approx((10 + 5 + 4.125 + 4) * 0.024)
    # Voxels x 3..6, y 10, z 15: the mean index 4.5 lies at -20 + 4.5 * 4, 7 + 10 * 3, 100 + 15 * 2 mm.
    assert [metrics[f"centroid_{axis}_mm"] for axis in "xyz"] == pytest.approx([-2, 37, 130])


def test_tlg_is_volume_times_mean():
    rng = np.random.default_rng(0)
    values = rng.uniform(0, 12, ANISOTROPIC.shape).astype(np.float32)
    roi = rng.random(ANISOTROPIC.shape) < 0.3
    metrics = pet_metrics(pet(values), mask(roi))
    hot = values[roi & (values >= 4)].astype(float)
    assert metrics["tlg_4"] == pytest.approx(metrics["mtv_4_ml"] * hot.mean())


def test_cold_lesion_has_no_metabolic_volume():
    roi = box(slice(3, 6), slice(3, 6), slice(3, 6))
    metrics = pet_metrics(pet(np.where(roi, 2.0, 0)), mask(roi))
    assert metrics["mtv_4_ml"] == metrics["tlg_4"] == 0
    assert metrics["mtv_41_ml"] == pytest.approx(metrics["volume_ml"])
    assert pet_metrics(pet(np.zeros(ANISOTROPIC.shape)), mask(roi))["mtv_41_ml"] == 0


def test_peak_worked_by_hand():
    # Spacing 5 mm: the sphere of 6.2 mm holds a voxel and its six neighbours across a face (5 mm), and no other (7.1).
    geometry = Geometry((5, 6, 7), (5.0, 5.0, 5.0))
    values = np.zeros(geometry.shape)
    values[3, 3, 2] = 7
    values[3, 3, 3] = 14
    roi = np.zeros(geometry.shape, dtype=bool)
    roi[3, 3, 2:4] = True
    # Both spheres hold both hot voxels: (7 + 14) / 7.
    assert suv_peaks(pet(values, geometry), mask(roi, geometry)) == pytest.approx((3, 3))
    values[3, 3, 1] = 7
    # About x = 2 now (7 + 14 + 7) / 7, about the hottest voxel x = 3 still 3.
    assert suv_peaks(pet(values, geometry), mask(roi, geometry)) == pytest.approx((4, 3))


def test_peak_of_several_hottest_voxels_is_the_highest_sphere():
    geometry = Geometry((9, 5, 5), (5.0, 5.0, 5.0))
    values = np.zeros(geometry.shape)
    values[2, 2, 1] = values[2, 2, 7] = 7
    values[2, 3, 7] = 3.5
    roi = values == 7
    assert suv_peaks(pet(values, geometry), mask(roi, geometry)) == pytest.approx((1.5, 1.5))


def test_peak_reaches_beyond_the_roi_but_not_beyond_the_image():
    geometry = Geometry((3, 3, 3), (5.0, 5.0, 5.0))
    values = np.full(geometry.shape, 2.0)
    roi = np.zeros(geometry.shape, dtype=bool)
    roi[0, 0, 0] = True
    assert suv_peaks(pet(values, geometry), mask(roi, geometry)) == pytest.approx((2, 2))
    values[0, 0, 1] = 6
    # In the corner a sphere has four voxels: itself and three neighbours.
    assert suv_peaks(pet(values, geometry), mask(roi, geometry)) == pytest.approx((3, 3))


def test_sphere_has_one_cubic_centimetre():
    assert pytest.approx(1000) == 4 / 3 * np.pi * PEAK_RADIUS_MM**3


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.5, 1.0, 1.5), (2.0, 2.0, 3.0)])
def test_peak_of_a_hot_sphere(spacing):
    # A ball of 20 mm and SUV 8: a peak sphere about its centre lies wholly inside.
    geometry = Geometry(tuple(int(60 / edge) for edge in spacing), spacing)
    roi = ball(geometry, (29.0, 30.0, 31.0), 20)
    metrics = pet_metrics(pet(np.where(roi, 8.0, 1.0), geometry), mask(roi, geometry))
    assert metrics["suv_peak_global"] == pytest.approx(8)
    assert metrics["mtv_41_ml"] == pytest.approx(4 / 3 * np.pi * 20**3 / 1000, rel=0.01)
    assert metrics["tlg_4"] == pytest.approx(8 * metrics["mtv_4_ml"])


def test_peak_equals_the_mean_over_a_ball_on_any_grid():
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 10, ANISOTROPIC.shape).astype(np.float32)
    roi = box(slice(12, 15), slice(8, 12), slice(4, 6))
    centres = ANISOTROPIC.to_points(np.argwhere(roi)[:, ::-1])
    means = [values[ball(ANISOTROPIC, centre, PEAK_RADIUS_MM)].mean(dtype=float) for centre in centres]
    assert suv_peaks(pet(values), mask(roi))[0] == pytest.approx(max(means))


def test_dmax_between_lesions_on_different_grids():
    far = Geometry((10, 20, 30), (4.0, 3.0, 2.0), (-20.0, 7.0, 1100.0))
    one = mask(box(slice(0, 3), slice(0, 3), slice(0, 3)))
    two = mask(box(slice(0, 3), slice(0, 3), slice(5, 8)))
    three = mask(box(slice(0, 3), slice(0, 3), slice(0, 3)), far)
    assert dmax_mm([one]) == 0
    assert dmax_mm([one, two]) == pytest.approx(5 * 4)
    assert dmax_mm([one, two, three]) == pytest.approx(np.hypot(20, 1000))


def test_dmax_on_an_oblique_grid():
    turned = Geometry((10, 20, 30), (4.0, 3.0, 2.0), direction=(0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, 1))
    first, second = np.zeros((2, *turned.shape), dtype=bool)
    first[0, 0, 0] = second[10, 4, 3] = True
    assert centroid_mm(mask(second, turned)) == pytest.approx([0.6 * 12 - 0.8 * 12, 0.8 * 12 + 0.6 * 12, 20])
    assert dmax_mm([mask(first, turned), mask(second, turned)]) == pytest.approx(np.sqrt(12**2 + 12**2 + 20**2))


def test_dmax_refuses_lesions_of_different_frames():
    roi = box(slice(3), slice(3), slice(3))
    lesions = [Volume(roi, ANISOTROPIC, frame_of_reference=uid) for uid in ("1.2", "1.3")]
    with pytest.raises(DataError, match="frames of reference"):
        dmax_mm(lesions)
    with pytest.raises(DataError, match="no lesion"):
        dmax_mm([])


def test_other_units_are_refused():
    roi = box(slice(3), slice(3), slice(3))
    for unit, words in (("HU", "in HU"), ("", "unknown unit"), ("BQML", "BQML")):
        with pytest.raises(DataError, match=words):
            pet_metrics(pet(np.ones(ANISOTROPIC.shape), unit=unit), mask(roi))


def test_unusable_rois_are_named():
    ones = np.ones(ANISOTROPIC.shape)
    roi = box(slice(3), slice(3), slice(3))
    with pytest.raises(DataError, match="empty"):
        pet_metrics(pet(ones), mask(np.zeros(ANISOTROPIC.shape)))
    with pytest.raises(DataError, match="different grids"):
        pet_metrics(pet(ones), mask(roi, Geometry((10, 20, 30), (4.0, 3.0, 2.1))))
    with pytest.raises(DataError, match="no numbers"):
        pet_metrics(pet(np.where(roi, np.nan, 1)), mask(roi))
    with pytest.raises(DataError, match="near the ROI"):
        pet_metrics(pet(np.where(roi, 1, np.nan)), mask(roi))


def reference(folder: Path, data_set: str, code: str) -> tuple[float, float]:
    rows = pd.read_csv(folder / "ibsi" / "ibsi1_reference_values.csv")
    row = rows[(rows["dataset"] == data_set) & (rows["ibsi_code"] == code)].iloc[0]
    tolerance = 0.05 if np.isnan(row["tolerance"]) else row["tolerance"]  # of the digital phantom: two digits
    return row["value"], tolerance


@pytest.mark.realdata
@pytest.mark.parametrize("data_set", ["digital_phantom", "ct_config_A", "ct_config_C", "ct_config_D"])
def test_peaks_are_ibsis_intensity_peaks(real_data, data_set):
    folder = real_data / "ibsi" / ("digital_phantom" if data_set == "digital_phantom" else "ct_phantom")
    image, labels = read_volume(folder / "image.nii.gz"), read_labels(folder / "mask.nii.gz")
    preset = "plain" if data_set == "digital_phantom" else f"ibsi-{data_set[-1].lower()}"
    ready = prepare(image, labels.with_array(labels.array > 0), PRESETS[preset])
    found = suv_peaks(ready.image, ready.image.with_array(ready.intensity))
    for value, code in zip(found, ("0F91", "VJGA"), strict=True):
        expected, tolerance = reference(real_data, data_set, code)
        assert abs(value - expected) <= tolerance, (code, value, expected)
