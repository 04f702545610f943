"""Small images with ROIs, written as NIfTI into a study and listed in its table ``images``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

import medomicslab_nb as ml
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, write_volume
from medomicslab_nb.tables import IMAGES, Column

GEOMETRY = Geometry((24, 20, 12), (2.0, 2.5, 3.0), (-30.0, 10.0, 5.0))


def lesion(rng: np.random.Generator, centre_mm: Sequence[float] = (-5.0, 35.0, 22.0), radius_mm: float = 9.0) -> Volume:
    """A ball on :data:`GEOMETRY`."""
    z, y, x = np.indices(GEOMETRY.shape)
    points = GEOMETRY.to_points(np.stack([x.ravel(), y.ravel(), z.ravel()], axis=1))
    inside = np.linalg.norm(points - centre_mm, axis=1) < radius_mm + rng.uniform(-1, 1)
    return Volume(inside.reshape(GEOMETRY.shape), GEOMETRY)


def texture(rng: np.random.Generator, mask: Volume, level: float) -> Volume:
    """Noise, brighter in the mask."""
    array = rng.normal(1.0, 0.2, GEOMETRY.shape) + level * mask.array * rng.uniform(0.5, 1.5, GEOMETRY.shape)
    return Volume(array.astype(np.float32), GEOMETRY, "SUVbw")


def add_images(study: ml.Study, patients: Sequence[str], modality: str = "PT") -> None:
    """One image with one ROI for every patient; the table's paths are relative to the study."""
    folder = study.path / "images"
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(11)
    rows = []
    for number, patient in enumerate(patients):
        mask = lesion(rng)
        image, roi = folder / f"{number}.nii.gz", folder / f"{number}-roi.nii.gz"
        write_volume(texture(rng, mask, 4.0), image)
        write_volume(mask, roi)
        rows.append({"patient": patient, "date": pd.Timestamp("2020-01-01") + pd.Timedelta(days=number),
                     "modality": modality, "image": f"images/{image.name}", "lesion": "1", "roi": "GTV",
                     "mask": f"images/{roi.name}",
                     "label": "1", "registration": "", "image_sha256": sha256_of(image),
                     "mask_sha256": sha256_of(roi), "unit": "SUVbw", "problem": ""})
    columns = {name: Column(role="ignore", type="text") for name in rows[0] if name not in ("patient", "date")}
    study.add_table("images", pd.DataFrame(rows), block=IMAGES, level="lesion", date_column="date",
                    columns={**columns, "date": Column(role="date", type="date")})
