"""Images and ROIs by the references of a study's table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from medomicslab_nb.errors import DataError
from medomicslab_nb.files import sha256_of
from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.loading import DOSE, load_case, load_image, reference_to, resolve, write_manifest
from medomicslab_nb.imaging.series import load_series
from medomicslab_nb.imaging.volumes import Volume, read_volume, write_volume
from tests.imaging.contour_factory import at_slice, write_dose, write_rtstruct
from tests.imaging.dicom_factory import AXIAL, write_series

SQUARE = [[(1.5, 2.0), (8.0, 2.0), (8.0, 15.0), (1.5, 15.0)]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study folder."""
    (tmp_path / "study").mkdir()
    return tmp_path / "study"


def manifest_of(folder: Path, files: list[Path], modality: str, **how) -> tuple[str, str]:
    return write_manifest(folder, [(reference_to(folder, path), sha256_of(path)) for path in files], modality, **how)


def row_of(folder: Path, image: tuple[str, str], mask: Path, modality: str, label: str = "GTV", **more) -> dict:
    return {"modality": modality, "image": image[0], "image_sha256": image[1], "mask": reference_to(folder, mask),
            "mask_sha256": sha256_of(mask), "label": label, "registration": "", "unit": "", **more}


def grey(geometry: Geometry = AXIAL, seed: int = 0) -> Volume:
    return Volume(np.random.default_rng(seed).normal(size=geometry.shape).astype(np.float32), geometry)


@pytest.mark.parametrize(("modality", "unit"), [("CT", "HU"), ("PT", "SUVbw"), ("MR", "")])
def test_a_series_through_its_manifest(folder, modality, unit):
    files = write_series(folder.parent / "outside", modality=modality)
    reference, sha256 = manifest_of(folder, files, modality)
    assert reference.startswith("images/series/") and (folder / reference).is_file()
    image = load_image(folder, reference, sha256=sha256)
    assert image.unit == unit and np.array_equal(image.array, load_series(files).array)
    assert manifest_of(folder, files, modality) == (reference, sha256)
    assert all(Path(entry["path"]).is_absolute() for entry in yaml.safe_load((folder / reference).read_text())["files"])


def test_body_surface_and_lean_mass_are_passed_on(folder):
    files = write_series(folder / "pet", modality="PT")
    reference, _ = manifest_of(folder, files, "PT")
    bw, bsa, lbm = (load_image(folder, reference, suv=kind) for kind in ("bw", "bsa", "lbm"))
    assert (bw.unit, bsa.unit, lbm.unit) == ("SUVbw", "SUVbsa", "SUVlbm")
    assert bw.array.max() > lbm.array.max() > 0 and not np.allclose(bsa.array, bw.array)


def test_files_inside_the_study_are_named_relative_to_it_and_move_with_it(folder):
    files = write_series(folder / "images" / "ct")
    reference, _ = manifest_of(folder, files, "CT")
    expected = load_image(folder, reference).array
    moved = folder.rename(folder.with_name("moved"))
    assert np.array_equal(load_image(moved, reference).array, expected)
    assert reference_to(moved, moved / "a.nii") == "a.nii"
    assert reference_to(moved, folder.parent / "a.nii") == str((folder.parent / "a.nii").resolve())


def test_a_volume_with_its_unit(folder):
    write_volume(grey(), folder / "image.nii.gz")
    image = load_image(folder, "image.nii.gz", unit="SUVbw")
    assert image.unit == "SUVbw" and np.array_equal(image.array, grey().array)


def test_bad_input_71_a_slice_that_changed(folder):
    files = write_series(folder / "ct")
    reference, sha256 = manifest_of(folder, files, "CT")
    content = bytearray(files[4].read_bytes())
    content[-1] ^= 1
    files[4].write_bytes(content)
    with pytest.raises(DataError, match=rf"file {files[4].name}: the file was changed since it was added"):
        load_image(folder, reference, sha256=sha256)
    files[4].unlink()
    with pytest.raises(DataError, match=rf"file {files[4].name}: the file is missing"):
        load_image(folder, reference)


def test_bad_input_71_a_manifest_image_or_mask_that_changed(folder):
    files = write_series(folder / "ct")
    image = manifest_of(folder, files, "CT")
    mask = write_rtstruct(folder / "rs.dcm", [("GTV", at_slice(SQUARE, 4, AXIAL))])
    row = row_of(folder, image, mask, "CT")
    assert load_case(folder, row)[1].array.any()
    with pytest.raises(DataError, match=r"file rs\.dcm: the file was changed"):
        load_case(folder, row | {"mask_sha256": "0" * 64})
    with pytest.raises(DataError, match=r"yaml: the file was changed"):
        load_case(folder, row | {"image_sha256": "0" * 64})
    with pytest.raises(DataError, match=r"file reg\.dcm: the file is missing"):
        load_case(folder, row | {"registration": "reg.dcm", "registration_sha256": "0" * 64})
    (folder / image[0]).write_text("a: 1")
    with pytest.raises(DataError, match="no series file"):
        load_image(folder, image[0])


def test_bad_input_86_references_that_lead_out_of_the_study(folder):
    write_volume(grey(), folder.parent / "outside.nii.gz")
    (folder / "link.nii.gz").symlink_to(folder.parent / "outside.nii.gz")
    for reference in ("link.nii.gz", "../outside.nii.gz", "a/../../outside.nii.gz"):
        with pytest.raises(DataError, match="leads out of the study"):
            load_image(folder, reference)
    assert resolve(folder, str(folder.parent / "outside.nii.gz")).is_file()


def test_an_image_without_roi_is_a_named_error(folder):
    with pytest.raises(DataError, match="no ROI"):
        load_case(folder, {"mask": "", "image": "a", "modality": "CT"})


def test_image_and_mask_of_volumes(folder):
    labels = np.zeros(AXIAL.shape, np.float32)
    labels[3:6, 4:9, 2:5], labels[10:12, 4:9, 2:5] = 1, 2
    write_volume(grey(), folder / "image.nrrd")
    write_volume(Volume(labels, AXIAL), folder / "mask.nii.gz")
    row = row_of(folder, ("image.nrrd", sha256_of(folder / "image.nrrd")), folder / "mask.nii.gz", "MR", "2")
    image, mask = load_case(folder, row)
    assert np.array_equal(image.array, grey().array) and np.array_equal(mask.array, labels == 2)


# -- doses -------------------------------------------------------------------------------------------------------

DOSE_GRID = Geometry((9, 8, 16), (2.0, 2.5, 6.0), (-13.0, -42.0, -101.0))


def ramp(geometry: Geometry) -> np.ndarray:
    """A dose that is linear in space, so that linear interpolation is exact: Gy, shape (z, y, x)."""
    indices = np.stack(np.meshgrid(*[np.arange(n) for n in geometry.size], indexing="ij"), axis=-1).reshape(-1, 3)
    points = geometry.to_points(indices)
    return (50 + points @ [0.5, 0.2, 0.3]).reshape(geometry.size).transpose(2, 1, 0)


def test_a_dose_comes_on_the_grid_of_the_image_on_which_the_roi_was_drawn(folder):
    grid, _ = manifest_of(folder, write_series(folder / "ct"), "CT")
    mask = write_rtstruct(folder / "rs.dcm", [("PTV", at_slice([[(2.0, 3.0), (7.0, 3.0), (7.0, 12.0)]], 4, AXIAL))])
    path = write_dose(folder / "dose.dcm", ramp(DOSE_GRID), DOSE_GRID)
    reference = manifest_of(folder, [path], DOSE, grid=grid)
    dose, roi = load_case(folder, row_of(folder, reference, mask, DOSE, "PTV"))
    assert dose.unit == "Gy" and dose.geometry.same_as(AXIAL) and roi.array.sum() > 10
    assert np.allclose(dose.array[roi.array], ramp(AXIAL)[roi.array], atol=1e-4)


def test_a_dose_comes_on_the_grid_of_a_mask_that_is_a_volume(folder):
    inner = AXIAL.crop((2, 3, 2), (5, 6, 7))
    write_volume(Volume(np.ones(inner.shape, np.float32), inner), folder / "ptv.nii.gz")
    path = write_dose(folder / "dose.dcm", ramp(DOSE_GRID), DOSE_GRID)
    row = row_of(folder, manifest_of(folder, [path], DOSE), folder / "ptv.nii.gz", DOSE, "1")
    dose, roi = load_case(folder, row)
    assert dose.geometry.same_as(inner) and roi.array.all()
    assert np.allclose(dose.array, ramp(inner), atol=1e-4)


def test_a_dose_that_is_a_volume(folder):
    write_volume(Volume(ramp(AXIAL).astype(np.float32), AXIAL), folder / "dose.nrrd")
    write_volume(Volume(np.ones(AXIAL.shape, np.float32), AXIAL), folder / "ptv.nrrd")
    row = row_of(folder, ("dose.nrrd", ""), folder / "ptv.nrrd", DOSE, "1", unit="Gy")
    dose, _ = load_case(folder, row)
    assert dose.unit == "Gy" and np.allclose(dose.array, read_volume(folder / "dose.nrrd").array, atol=1e-4)
