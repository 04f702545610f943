"""The engine pictologics beside plain pyradiomics: CPU seconds a case, in turn, on the same images and settings.

Needs Python 3.12 and the extra ``fast``. Cases: a sphere of 60 mm radius, and with ``--data DIR`` pyradiomics' own
test cases, in bins of 25; with ``--sts DIR`` the PET of the soft-tissue sarcoma cohort in 64 bins, cropped around the
contour as it comes, and put back into a field of view of 128 x 128 x 300 voxels. No interpolation. Ours is
preprocessing and all features (167), theirs ``RadiomicsFeatureExtractor.execute`` (107). The time to import and
compile is told apart: it is spent once in a process, and most of it once on a machine.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from threadpoolctl import threadpool_limits

from medomicslab_nb.imaging.geometry import Geometry
from medomicslab_nb.imaging.volumes import Volume, read_labels, read_volume
from medomicslab_nb.radiomics.discretisation import Discretisation
from medomicslab_nb.radiomics.engines.pictologics import compile_kernels, measure
from medomicslab_nb.radiomics.preprocessing import Preprocessing, prepare

Case = tuple[str, Volume, Volume]
WIDTH, COUNT = Discretisation("fixed_bin_size", 25), Discretisation("fixed_bin_number", 64)


def sphere() -> Case:
    """A ball of noise in a CT of 1 mm."""
    geometry = Geometry((200, 200, 160), (1.0, 1.0, 1.0))
    z, y, x = (np.arange(n) - n / 2 for n in geometry.shape)
    ball = z[:, None, None] ** 2 + y[:, None] ** 2 + x**2 <= 60**2
    image = np.random.default_rng(0).normal(40, 60, geometry.shape).round().astype(np.float32)
    return "sphere_60mm", Volume(image, geometry, "HU"), Volume(ball, geometry)


def pyradiomics_cases(folder: Path) -> Iterator[Case]:
    for image in sorted(folder.glob("*_image.nrrd")):
        name = image.name.removesuffix("_image.nrrd")
        labels = read_labels(folder / f"{name}_label.nrrd")
        yield name, read_volume(image), labels.with_array(labels.array == 1)


def sts_cases(folder: Path, count: int) -> Iterator[Case]:
    """Each PET twice: cropped, and as large as a scanner gives it."""
    for image in sorted(folder.glob("*/PET_image.nii.gz"))[:count]:
        labels = read_labels(image.with_name("PET_mask.nii.gz"))
        pet, roi = read_volume(image, "SUVbw"), labels.with_array(labels.array > 0)
        yield f"{image.parent.name}_cropped", pet, roi
        yield f"{image.parent.name}_uncropped", uncropped(pet), uncropped(roi)


def uncropped(volume: Volume, size: tuple[int, int, int] = (128, 128, 300)) -> Volume:
    """The volume in the middle of a larger one, filled with air (SUV 0)."""
    missing = np.maximum(np.subtract(size, volume.geometry.size), 0)
    before = missing // 2
    array = np.pad(volume.array, np.stack([before, missing - before], axis=1)[::-1])
    return Volume(array, volume.geometry.crop((-before).tolist(), array.shape[::-1]), volume.unit)


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """The shortest CPU time of several: the others measure the machine's other work."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


def plain(image: Volume, mask: Volume, bins: Discretisation) -> Callable[[], object]:
    """Plain pyradiomics on images in memory."""
    from radiomics import featureextractor, setVerbosity

    setVerbosity(logging.CRITICAL)
    key = "binWidth" if bins.method == "fixed_bin_size" else "binCount"
    extractor = featureextractor.RadiomicsFeatureExtractor(**{key: int(bins.size)})
    pixels, labels = image.to_image(), sitk.Cast(mask.to_image(), sitk.sitkInt32)
    return lambda: extractor.execute(pixels, labels)


def ratio_of(case: Case, bins: Discretisation, repeats: int) -> float:
    name, image, mask = case
    settings = Preprocessing("3D", discretisation=bins)
    theirs_s = cpu_s(plain(image, mask, bins), repeats)
    ours_s = cpu_s(lambda: measure(prepare(image, mask, settings)), repeats)
    print(f"{name}: {int(mask.array.sum())} voxels, pyradiomics {theirs_s:.3f} s, pictologics {ours_s:.4f} s, "
          f"ratio {theirs_s / ours_s:.1f}")
    return theirs_s / ours_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="pyradiomics' cases: NAME_image.nrrd, NAME_label.nrrd")
    parser.add_argument("--sts", type=Path, help="NIfTI images and masks of the PET")
    parser.add_argument("--cases", type=int, default=10, help="of the PET cohort")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    start = time.perf_counter()
    compile_kernels()
    import pictologics  # noqa: F401

    ready_s = time.perf_counter() - start
    cases = [(sphere(), WIDTH)]
    cases += [(case, WIDTH) for case in (pyradiomics_cases(options.data) if options.data else ())]
    cases += [(case, COUNT) for case in (sts_cases(options.sts, options.cases) if options.sts else ())]
    with threadpool_limits(1):
        ratios = {case[0]: ratio_of(case, bins, options.repeats) for case, bins in cases}
    print(f"import_and_compile_s={ready_s:.1f}")
    for name, ratio in ratios.items():
        print(f"ratio_{name}={ratio:.1f}")
    for kind in ("uncropped", "cropped") if options.sts else ():
        print(f"ratio_sts_{kind}={np.median([value for key, value in ratios.items() if key.endswith(f'_{kind}')]):.1f}")


if __name__ == "__main__":
    main()
