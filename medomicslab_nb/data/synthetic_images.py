"""Images of the synthetic cohort: CT and PET of a neck with one tumour, through three hospitals' scanners.

Everything is in the patient's coordinates (LPS, mm): x grows to the patient's left, y to the back, z to the head.
Arrays are (z, y, x). Both scans share one frame of reference, with its origin in the middle of the neck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from medomicslab_nb.data.synthetic import Cohort, generator, tumour_of
from medomicslab_nb.data.synthetic_tumour import Tumour
from medomicslab_nb.imaging.contours import rasterize
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume

Modality = Literal["CT", "PT"]

UNITS = {"CT": "HU", "PT": "SUVbw"}
SIZES: dict[str, tuple[int, int, int]] = {"CT": (64, 64, 32), "PT": (48, 48, 24)}
"""Voxels along x, y and z."""

_NECK_MM = (74.0, 62.0)  # semi-axes of the neck, x and y
_TEXTURE_MM = 2.0  # grid on which texture is drawn
_POINTS = 48
_FWHM = 2.3548  # of a normal distribution, in standard deviations


@dataclass(frozen=True)
class Scanner:
    """What a hospital's scanner does to what it sees.

    Attributes
    ----------
    ct_spacing_mm, pt_spacing_mm : (in plane, slices)
    ct_kernel : str
    ct_noise_hu, ct_blur_mm, ct_offset_hu : float
        Standard deviation of the noise before the blur of the kernel (sigma), and a calibration error.
    pt_fwhm_mm : float
        Resolution.
    pt_noise : float
        Standard deviation of the noise as a share of the local uptake, before smoothing.
    pt_gain : float
        Error of calibration.
    decay_correction : str
        DICOM: ``START`` or ``ADMIN``.
    """

    manufacturer: str
    model: str
    ct_spacing_mm: tuple[float, float]
    pt_spacing_mm: tuple[float, float]
    ct_kernel: str
    ct_noise_hu: float
    ct_blur_mm: float
    ct_offset_hu: float
    pt_fwhm_mm: float
    pt_noise: float
    pt_gain: float
    decay_correction: str

    def spacing_mm(self, modality: Modality) -> tuple[float, float, float]:
        plane, slices = self.ct_spacing_mm if modality == "CT" else self.pt_spacing_mm
        return plane, plane, slices


SCANNERS = {
    "alpha": Scanner("SYNTHETIC", "Alpha One", (2.5, 3.0), (4.0, 4.0), "SMOOTH", 25.0, 1.6, 0.0, 6.0, 0.25, 1.0,
                     "START"),
    "beta": Scanner("SYNTHETIC", "Beta Two", (2.5, 3.0), (3.7, 4.0), "SHARP", 20.0, 1.0, 6.0, 5.0, 0.35, 1.07,
                    "START"),
    "gamma": Scanner("SYNTHETIC", "Gamma Three", (2.7, 3.5), (4.3, 4.5), "MEDIUM", 22.0, 1.3, -5.0, 6.5, 0.3, 0.95,
                     "ADMIN")}
"""The scanner of each hospital."""


@dataclass(frozen=True)
class Scene:
    """One patient's tumour in place.

    Attributes
    ----------
    centre_mm : (x, y, z)
        Centre of the tumour: x > 0 on the patient's left.
    texture : Volume
        Relative modulation of the tumour, mean 0 and standard deviation 1 within it.
    """

    patient: str
    hospital: str
    tumour: Tumour
    centre_mm: tuple[float, float, float]
    texture: Volume
    suv_mean: float
    uptake_cv: float
    seed: int
    number: int

    @property
    def scanner(self) -> Scanner:
        return SCANNERS[self.hospital]


def scene_of(cohort: Cohort, number: int) -> Scene:
    """The scene of the patient at that position of the cohort."""
    patient = cohort.clinical.index[number]
    truth = cohort.truth.iloc[number]
    clinical = cohort.clinical.iloc[number]
    rng = generator(cohort.seed, "scene", number)
    tumour = tumour_of(number, truth["volume_ml"], cohort.seed)
    return Scene(patient, clinical["hospital"], tumour, _centre(tumour, clinical["side"], rng),
                 _texture(tumour, truth["texture_mm"], rng), float(truth["suv_mean"]), float(truth["uptake_cv"]),
                 cohort.seed, number)


def _centre(tumour: Tumour, side: str, rng: np.random.Generator) -> tuple[float, float, float]:
    """Beside the middle, as far as the neck allows."""
    a = tumour.axes_mm[0] * (1 + tumour.depth)
    lateral = min(float(rng.uniform(26, 36)), _NECK_MM[0] - 5 - a)
    return (lateral if side == "left" else -lateral), float(rng.uniform(-8, 4)), float(rng.uniform(-4, 4))


def _texture(tumour: Tumour, length_mm: float, rng: np.random.Generator) -> Volume:
    """A smooth random field around the tumour's centre; its correlation falls to 1/e at ``length_mm``."""
    reach = max(tumour.axes_mm) * (1 + tumour.depth) + 6
    n = 2 * int(np.ceil(reach / _TEXTURE_MM)) + 1
    start = -(n - 1) / 2 * _TEXTURE_MM
    field = gaussian_filter(rng.normal(size=(n, n, n)), length_mm / 2 / _TEXTURE_MM, mode="wrap")
    geometry = Geometry((n, n, n), (_TEXTURE_MM,) * 3, (start,) * 3)
    inside = field[tumour.depth_mm(*_centres(geometry)) > 0]
    return Volume(((field - inside.mean()) / inside.std()).astype(np.float32), geometry)


def _centres(geometry: Geometry) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres of voxels in mm: x, y and z, each of a shape that broadcasts to (z, y, x)."""
    x, y, z = (origin + spacing * np.arange(n) for origin, spacing, n in
               zip(geometry.origin_mm, geometry.spacing_mm, geometry.size, strict=True))
    return x[None, None, :], y[None, :, None], z[:, None, None]


def grid(scene: Scene, modality: Modality, size: tuple[int, int, int] | None = None) -> Geometry:
    """The grid of a scan, its middle in the middle of the neck.

    Parameters
    ----------
    size : (x, y, z), optional
        Voxels; default :data:`SIZES`. Fewer of them show less of the neck.
    """
    spacing, count = scene.scanner.spacing_mm(modality), size or SIZES[modality]
    x, y, z = (round(-(n - 1) / 2 * step, 4) for n, step in zip(count, spacing, strict=True))
    return Geometry(count, spacing, (x, y, z))


def scan(scene: Scene, modality: Modality, geometry: Geometry) -> Volume:
    """The image on a grid of :func:`grid`: CT in HU, PET in SUVbw; float32."""
    rng = generator(scene.seed, "ct" if modality == "CT" else "pt", scene.number)
    make = _ct if modality == "CT" else _pt
    return Volume(make(scene, geometry, rng).astype(np.float32), geometry, UNITS[modality])


def contours(scene: Scene, geometry: Geometry) -> list[np.ndarray]:
    """Outlines of the tumour in the slices of a grid, each shape (48, 3), in mm rounded as DICOM has them."""
    found = []
    for k in range(geometry.size[2]):
        z = geometry.origin_mm[2] + k * geometry.spacing_mm[2]
        flat = scene.tumour.outline(z - scene.centre_mm[2], _POINTS)
        if len(flat):
            xy = np.round(flat + scene.centre_mm[:2], 3)
            found.append(np.column_stack([xy, np.full(len(xy), round(z, 4))]))
    return found


def mask(scene: Scene, geometry: Geometry) -> Volume:
    """The voxels whose centres lie inside the contours."""
    return Volume(rasterize(contours(scene, geometry), geometry), geometry)


def _ct(scene: Scene, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    scanner = scene.scanner
    x, y, _ = _centres(geometry)
    image = np.full(geometry.shape, -1000.0)
    image[np.broadcast_to(_ellipse(x, y) < 1, geometry.shape)] = -100.0  # fat under the skin
    image[np.broadcast_to(_ellipse(x, y, rim_mm=6) < 1, geometry.shape)] = 45.0  # muscle
    image[np.broadcast_to((x / 9) ** 2 + ((y + 22) / 7) ** 2 < 1, geometry.shape)] = -1000.0  # airway, in front
    image[np.broadcast_to(x**2 + (y - 36) ** 2 < 13**2, geometry.shape)] = 420.0  # spine, at the back
    share, pattern = _tumour_at(scene, geometry)
    image += share * (62.0 + 60.0 * scene.uptake_cv * pattern - image)
    image += rng.normal(0, scanner.ct_noise_hu, geometry.shape)
    return np.rint(_blurred(image, geometry, scanner.ct_blur_mm) + scanner.ct_offset_hu).clip(-1024, 3000)


def _pt(scene: Scene, geometry: Geometry, rng: np.random.Generator) -> np.ndarray:
    scanner = scene.scanner
    x, y, _ = _centres(geometry)
    image = np.where(np.broadcast_to(_ellipse(x, y) < 1, geometry.shape), 0.9, 0.02)
    share, pattern = _tumour_at(scene, geometry)
    # A log-normal pattern is never negative; sigma is chosen for the coefficient of variation that is wanted.
    sigma = np.sqrt(np.log1p(scene.uptake_cv**2))
    image += share * (scene.suv_mean * np.exp(sigma * pattern - sigma**2 / 2) - image)
    image = _blurred(image, geometry, scanner.pt_fwhm_mm / _FWHM)
    noise = _blurred(rng.normal(size=geometry.shape), geometry, scanner.pt_fwhm_mm / _FWHM)
    return np.maximum(scanner.pt_gain * image * (1 + scanner.pt_noise * noise), 0)


def _ellipse(x: np.ndarray, y: np.ndarray, rim_mm: float = 0.0) -> np.ndarray:
    a, b = (axis - rim_mm for axis in _NECK_MM)
    return (x / a) ** 2 + (y / b) ** 2


def _tumour_at(scene: Scene, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    """Share of each voxel that is tumour (soft at the edge), and the texture there; both (z, y, x)."""
    x, y, z = (axis - centre for axis, centre in zip(_centres(geometry), scene.centre_mm, strict=True))
    step = float(np.cbrt(geometry.voxel_mm3))
    share = np.clip(0.5 + scene.tumour.depth_mm(x, y, z) / step, 0, 1)
    pattern = np.zeros(geometry.shape)
    where = np.argwhere(share > 0)
    points = np.column_stack([x.ravel()[where[:, 2]], y.ravel()[where[:, 1]], z.ravel()[where[:, 0]]])
    index = scene.texture.geometry.to_indices(points)[:, ::-1].T
    pattern[tuple(where.T)] = map_coordinates(scene.texture.array, index, order=1, mode="nearest")
    return share, pattern


def _blurred(image: np.ndarray, geometry: Geometry, sigma_mm: float) -> np.ndarray:
    return gaussian_filter(image, [sigma_mm / step for step in reversed(geometry.spacing_mm)], mode="nearest")
