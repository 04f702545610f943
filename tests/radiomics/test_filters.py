"""Filtered images: the libraries' own, and on a part of the image the same as on the whole."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from medomicslab_nb.errors import DataError, MissingExtraError
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.resampling import Box
from medomicslab_nb.imaging.volumes import Volume
from medomicslab_nb.radiomics.filters import MEAN_SUPPORT, FilterBank, wavelet_margin

GRID = Geometry((80, 90, 60), (1.0, 1.5, 3.0), (5.0, -7.0, 11.0))
ROI = Box((36, 38, 26), (10, 14, 8))


def image(geometry: Geometry = GRID) -> Volume:
    """Noise with a step at one end, as the edge of the body is."""
    array = np.random.default_rng(0).normal(0, 60, geometry.shape)
    array[:, :, :12] -= 1000
    return Volume(array.astype(np.float32), geometry, "HU")


def inside(array: np.ndarray, box: Box, part: Box) -> np.ndarray:
    x, y, z = np.subtract(box.lower, part.lower)
    return array[z:z + box.size[2], y:y + box.size[1], x:x + box.size[0]]


@pytest.mark.parametrize(("name", "limit"), [("log", 1e-4), ("wavelet", 1e-6), ("mean", 1e-6)])
def test_a_part_is_enough(name: str, limit: float) -> None:
    bank = FilterBank((name,), log_sigma_mm=(1.0, 2.0))
    part = ROI.grown(bank.margin(name, GRID.spacing_mm), GRID.size)
    assert np.prod(part.size) < np.prod(GRID.size) / 2
    whole = dict(bank.responses(name, image()))
    cut = dict(bank.responses(name, image().crop(part.lower, part.size)))
    assert whole.keys() == cut.keys()
    for title, response in whole.items():
        expected = inside(response, ROI, Box((0, 0, 0), GRID.size))
        found = inside(cut[title], ROI, part)
        assert np.abs(found - expected).max() <= limit * expected.std(), title


def test_names_are_pyradiomics_own() -> None:
    bank = FilterBank(("log", "wavelet", "mean"), log_sigma_mm=(2.0, 3.5))
    assert [name for name, _ in bank.responses("log", image())] == ["log-sigma-2-0-mm-3D", "log-sigma-3-5-mm-3D"]
    assert sorted(name for name, _ in bank.responses("wavelet", image())) == [
        f"wavelet-{a}{b}{c}" for a in "HL" for b in "HL" for c in "HL"]
    flat = replace(bank, in_plane=True)
    assert sorted(name for name, _ in flat.responses("wavelet", image())) == [
        "wavelet-HH", "wavelet-HL", "wavelet-LH", "wavelet-LL"]
    assert [name for name, _ in bank.responses("mean", image())] == [f"mean-{MEAN_SUPPORT}"]


def test_a_log_sees_millimetres() -> None:
    point = np.zeros(GRID.shape, np.float32)
    point[30, 45, 40] = 1
    ((_, response),) = FilterBank(("log",), log_sigma_mm=(4.0,)).responses("log", Volume(point, GRID))
    # 6 mm along each axis: 2, 4 and 6 voxels
    along = [response[32, 45, 40], response[30, 49, 40], response[30, 45, 46]]
    assert np.ptp(along) < 0.1 * np.abs(response).max()


def test_the_mean_is_a_mean() -> None:
    ((_, response),) = FilterBank(("mean",)).responses("mean", image())
    half = MEAN_SUPPORT // 2
    around = image().array[30 - half:31 + half, 40 - half:41 + half, 20 - half:21 + half]
    assert response[30, 40, 20] == pytest.approx(around.mean(dtype=float), abs=1e-3)


@pytest.mark.parametrize(("wavelet", "length"), [("haar", 2), ("coif1", 6), ("db2", 4)])
def test_margins_of_wavelets_are_longer_than_their_filters(wavelet: str, length: int) -> None:
    assert wavelet_margin(wavelet) >= length
    assert wavelet_margin(wavelet, levels=2) >= 2 * length
    assert wavelet_margin(wavelet) % 2 == 0


def test_an_unknown_wavelet_is_named() -> None:
    with pytest.raises(DataError, match=r"no discrete wavelet 'coif99'.*coif1"):
        list(FilterBank(("wavelet",), wavelet="coif99").responses("wavelet", image()))


def test_an_image_too_small_for_a_log_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    small = image(Geometry((3, 20, 30), (1.0, 1.5, 3.0)))
    with pytest.raises(DataError, match="too small for a Laplacian"):
        list(FilterBank(("log",)).responses("log", small))
    assert capfd.readouterr() == ("", "")


def test_a_gabor_filter_needs_voxels_of_equal_sides() -> None:
    with pytest.raises(DataError, match="equal sides"):
        list(FilterBank(("gabor",)).responses("gabor", image()))


@pytest.mark.parametrize("name", ["laws", "gabor"])
def test_laws_and_gabor_are_mirps(name: str) -> None:
    small = image(Geometry((24, 20, 22), (1.0, 1.0, 1.0)))
    responses = FilterBank((name,)).responses(name, small)
    if importlib.util.find_spec("mirp") is None:
        with pytest.raises(MissingExtraError, match=r"Laws and Gabor filters needs the extra 'ibsi'"):
            list(responses)
        return
    ((title, response),) = responses
    assert title.startswith(name)
    assert response.shape == small.array.shape
    assert np.isfinite(response).all()
    assert (response >= 0).all()  # an energy, a modulus


def test_the_margin_is_the_largest_of_all_filters() -> None:
    bank = FilterBank(("log", "wavelet"), log_sigma_mm=(1.0, 3.0))
    assert bank.margin_mm(GRID.spacing_mm) >= 14 * 3.0
    assert FilterBank().margin_mm(GRID.spacing_mm) == 0.0


def test_the_log_is_simpleitks() -> None:
    ((_, response),) = FilterBank(("log",), log_sigma_mm=(2.0,)).responses("log", image())
    filtered = sitk.LaplacianRecursiveGaussian(image().to_image(), 2.0, True)
    assert np.array_equal(response, sitk.GetArrayFromImage(filtered))
