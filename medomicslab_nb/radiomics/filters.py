"""Filtered images, as libraries give them, on a part of the image that is large enough.

Laplacian of Gaussian and wavelets are pyradiomics' own (SimpleITK, PyWavelets) and keep its names; the mean is scipy's;
Laws and Gabor are MIRP's (extra ``ibsi``). Parameters follow phase 2 of IBSI's chapter 2 where the settings have none.

A filter looks beyond the ROI. The margin of each is chosen so that cutting the image there changes nothing (wavelet,
mean, Laws, Gabor: kernels of finite length) or less than 10^-4 of a feature's value (LoG: a recursive filter, whose
memory fades with exp(-1.4 x / sigma)). Where the image ends within the margin, the library's rule for the image's edge
holds, as on the whole image.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from medomicslab_nb.errors import DataError, MissingExtraError
from medomicslab_nb.imaging.volumes import Volume

MEAN_SUPPORT = 5
"""Width of the mean filter in voxels."""
LAWS_KERNEL, LAWS_DELTA = "l5e5e5", 7
"""Kernel of Laws' filter and distance in voxels over which its energy is averaged; all rotations, maximum."""
GABOR = {"sigma": 5.0, "lambda": 2.0, "gamma": 1.5, "theta_step": 45.0}
"""Gabor's filter: sigma and wavelength in mm, ellipticity, step of the orientations in degrees (their mean)."""

LOG_REACH = 14.0
"""Margin of a LoG in units of its sigma."""
_LAWS_HALF = 2
_GABOR_REACH = 8.0


@dataclass(frozen=True)
class FilterBank:
    """Which filtered images are made.

    Attributes
    ----------
    names : tuple of str
        Of log, wavelet, mean, laws, gabor; in this order.
    log_sigma_mm : tuple of float
    wavelet : str
        Its name in PyWavelets; one level, undecimated.
    in_plane : bool
        Wavelets along x and y only, for textures in two dimensions; the other filters are three-dimensional.
    """

    names: tuple[str, ...] = ()
    log_sigma_mm: tuple[float, ...] = (1.0, 2.0, 3.0)
    wavelet: str = "coif1"
    in_plane: bool = False

    def margin(self, name: str, spacing_mm: Sequence[float]) -> tuple[int, int, int]:
        """Voxels (x, y, z) around the ROI that a filter must see."""
        if name == "log":
            return log_margin(self.log_sigma_mm, spacing_mm)
        if name == "gabor":
            return _voxels(_GABOR_REACH * GABOR["sigma"], spacing_mm)
        reach = {"mean": MEAN_SUPPORT // 2, "laws": _LAWS_HALF + LAWS_DELTA}
        return (reach[name],) * 3 if name in reach else (wavelet_margin(self.wavelet),) * 3

    def margin_mm(self, spacing_mm: Sequence[float]) -> float:
        """The largest margin of all filters."""
        return max((voxels * step for name in self.names
                    for voxels, step in zip(self.margin(name, spacing_mm), spacing_mm, strict=True)), default=0.0)

    def responses(self, name: str, image: Volume) -> Iterator[tuple[str, np.ndarray]]:
        """Names and voxels (z, y, x) of the filtered images of one filter.

        Raises
        ------
        MissingExtraError
            Laws and Gabor need MIRP.
        DataError
            The image is too small for a LoG, voxels are not isotropic for a Gabor filter, or there is no such wavelet.
        """
        if name == "log":
            yield from _log(image, self.log_sigma_mm)
        elif name == "wavelet":
            yield from _wavelets(image, self.wavelet, in_plane=self.in_plane)
        elif name == "mean":
            from scipy.ndimage import uniform_filter

            yield f"mean-{MEAN_SUPPORT}", uniform_filter(image.array.astype(np.float64), MEAN_SUPPORT)
        elif name == "laws":
            yield f"laws-{LAWS_KERNEL}-energy-{LAWS_DELTA}", _mirp(image.array, _laws_settings())
        else:
            yield f"gabor-sigma-{GABOR['sigma']:g}-lambda-{GABOR['lambda']:g}-mm", _gabor(image)


def log_margin(sigma_mm: Sequence[float], spacing_mm: Sequence[float]) -> tuple[int, int, int]:
    """Voxels (x, y, z) around the ROI that Laplacians of Gaussians must see."""
    return _voxels(LOG_REACH * max(sigma_mm), spacing_mm)


def wavelet_margin(wavelet: str, levels: int = 1) -> int:
    """Voxels around the ROI that a wavelet must see; an even number, which keeps the image's parity."""
    return 2 * levels * (_filter_length(wavelet) // 2 + 1)


def _filter_length(wavelet: str) -> int:
    import pywt

    try:
        return pywt.Wavelet(wavelet).dec_len
    except ValueError:
        raise DataError(f"there is no discrete wavelet {wavelet!r}", where="settings, wavelet",
                        todo="Choose one of PyWavelets, such as coif1, db2 or haar") from None


def _voxels(reach_mm: float, spacing_mm: Sequence[float]) -> tuple[int, int, int]:
    x, y, z = (int(np.ceil(reach_mm / step)) + 2 for step in spacing_mm)
    return x, y, z


def _log(image: Volume, sigma_mm: Sequence[float]) -> Iterator[tuple[str, np.ndarray]]:
    from radiomics import imageoperations

    as_image = image.to_image()
    found = [(name, response) for response, name, _ in
             imageoperations.getLoGImage(as_image, None, sigma=list(sigma_mm))]
    if len(found) < len(sigma_mm):
        raise DataError(f"the image is too small for a Laplacian of Gaussian: {as_image.GetSize()} voxels",
                        where="radiomics filters", todo="Leave the filter out, or choose a smaller sigma")
    for name, response in found:
        yield name, sitk.GetArrayFromImage(response)


def _wavelets(image: Volume, wavelet: str, *, in_plane: bool) -> Iterator[tuple[str, np.ndarray]]:
    from radiomics import imageoperations

    _filter_length(wavelet)
    responses = imageoperations.getWaveletImage(image.to_image(), None, wavelet=wavelet, force2D=in_plane)
    for response, name, _ in responses:
        yield name, sitk.GetArrayFromImage(response)


def _laws_settings() -> dict[str, object]:
    return {"filter_kernels": "laws", "laws_kernel": LAWS_KERNEL, "laws_delta": LAWS_DELTA,
            "laws_rotation_invariance": True, "laws_pooling_method": "max"}


def _gabor(image: Volume) -> np.ndarray:
    spacing = np.asarray(image.geometry.spacing_mm)
    if np.ptp(spacing) > 1e-3 * spacing.max():
        raise DataError("a Gabor filter over three planes needs voxels of equal sides", where="radiomics filters",
                        todo="Set a spacing with three equal numbers, or leave the filter out")
    step = float(spacing.mean())
    return _mirp(image.array, {
        "filter_kernels": "gabor", "gabor_sigma": GABOR["sigma"] / step, "gabor_lambda": GABOR["lambda"] / step,
        "gabor_gamma": GABOR["gamma"], "gabor_theta_step": GABOR["theta_step"], "gabor_rotation_invariance": True,
        "gabor_pooling_method": "mean"})


def _mirp(array: np.ndarray, settings: dict[str, object]) -> np.ndarray:
    """The response that MIRP's public interface returns for an array; its unit of length is the voxel."""
    if importlib.util.find_spec("mirp") is None:
        raise MissingExtraError("Laws and Gabor filters", "ibsi")
    from mirp import extract_images

    disabled = logging.root.manager.disable
    logging.disable(logging.INFO)  # it reports every step
    try:
        (images, _), = extract_images(image=array, mask=np.ones(array.shape, dtype=bool), export_images=True,
                                      write_images=False, image_export_format="numpy", by_slice=False, **settings)
    finally:
        logging.disable(disabled)
    return np.asarray(images[-1], dtype=np.float64)
