"""The shape of a synthetic tumour: a lobulated ellipsoid whose volume and outline in every axial plane are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tumour:
    """A body with centre 0 and semi-axes a, b, c (mm) along x, y and z.

    At height z its outline is ``(a g cos t, b g sin t)`` with ``g = sqrt(1 - (z / c)^2) (1 + q cos(k t + p))``; its
    volume is therefore ``4/3 pi a b c (1 + q^2 / 2)``.

    Attributes
    ----------
    axes_mm : (a, b, c)
    lobes : int
        k, the number of lobes.
    depth : float
        q, how far lobes stand out, as a share of the radius.
    phase : float
        p, in radians.
    """

    axes_mm: tuple[float, float, float]
    lobes: int
    depth: float
    phase: float

    @property
    def volume_ml(self) -> float:
        a, b, c = self.axes_mm
        return 4 / 3 * np.pi * a * b * c * (1 + self.depth**2 / 2) / 1000

    def outline(self, z_mm: float, points: int = 48) -> np.ndarray:
        """The outline at a height, shape (points, 2): x and y in mm from the centre; no points beyond the ends."""
        a, b, c = self.axes_mm
        if abs(z_mm) >= c:
            return np.empty((0, 2))
        t = np.linspace(0, 2 * np.pi, points, endpoint=False)
        g = np.sqrt(1 - (z_mm / c) ** 2) * self._lobulation(t)
        return np.column_stack([a * g * np.cos(t), b * g * np.sin(t)])

    def depth_mm(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """How far points lie inside (positive) or outside, roughly, in mm; exactly zero on the surface."""
        a, b, c = self.axes_mm
        u, v = x / a, y / b
        radius = np.sqrt((u**2 + v**2) / self._lobulation(np.arctan2(v, u)) ** 2 + (z / c) ** 2)
        return (1 - radius) * float(np.cbrt(a * b * c))

    def length_and_width(self) -> tuple[int, int]:
        """The two largest extents along the axes, in whole mm, as a report would give them."""
        flat = self.outline(0.0, 360)
        extents = sorted([*np.ptp(flat, axis=0), 2 * self.axes_mm[2]], reverse=True)
        return int(np.rint(extents[0])), int(np.rint(extents[1]))

    def _lobulation(self, angle: np.ndarray) -> np.ndarray:
        return 1 + self.depth * np.cos(self.lobes * angle + self.phase)


def draw_tumour(volume_ml: float, rng: np.random.Generator) -> Tumour:
    """A tumour of exactly that volume and a random shape."""
    lobes, depth, phase = int(rng.integers(2, 6)), float(rng.uniform(0, 0.12)), float(rng.uniform(0, 2 * np.pi))
    ratios = np.exp(rng.uniform(-0.15, 0.15, 3))
    scale = np.cbrt(volume_ml * 1000 / (4 / 3 * np.pi * np.prod(ratios) * (1 + depth**2 / 2)))
    a, b, c = (float(value) for value in ratios * scale)
    return Tumour((a, b, c), lobes, depth, phase)
