"""Settings of the radiomics stage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from medomicslab_nb.settings import Advanced, Execution, Settings, StudyPath, Unit

Preset = Literal["auto", "ibsi-a", "ibsi-b", "ibsi-c", "ibsi-d", "ibsi-e", "pet-suv", "ct-hu", "mr-normalised", "plain"]
Positive = Annotated[float, Field(gt=0)]
Perturbation = Literal["growth", "shrink", "contour", "translation", "rotation", "noise"]
Filter = Literal["original", "log", "wavelet", "mean", "laws", "gabor"]


class RadiomicsSettings(Settings):
    """Which images and ROIs, prepared how, and measured by which engine.

    A preset names a complete preprocessing; every field below it that is set overrules the preset.
    """

    stage: ClassVar[str] = "radiomics"

    images: Annotated[str, Advanced()] = "images"
    """Table of the images and their ROIs."""
    modalities: tuple[str, ...] = ()
    """Modalities to use, e.g. PT, CT, MR; empty: all."""
    rois: tuple[str, ...] = ()
    """Names or patterns of ROIs, e.g. GTV*; case and accents do not matter; empty: all."""
    grid: Annotated[str, Advanced()] = ""
    """Modality whose contours and grid serve for all images of a patient, e.g. CT; empty: each image has its own."""
    lesions: Literal["largest", "sum", "max", "mean"] = "largest"
    """How several lesions of a patient become one row: the largest one's features, or each feature's sum, maximum
    or mean."""
    suv: Annotated[Literal["bw", "bsa", "lbm"], Advanced()] = "bw"
    """How PET is normalised: body weight, body surface area or lean body mass."""
    engine: Literal["pyradiomics", "mirp", "pictologics"] = "pyradiomics"
    """Library that computes the features; two engines never meet in one table."""
    definitions: Literal["ibsi", "library"] = "ibsi"
    """Values of the wide table where the library's definition deviates from IBSI's; the long table has both."""
    preset: Preset = "auto"
    """Preprocessing; auto: pet-suv for PT, ct-hu for CT, mr-normalised for MR."""
    parameter_file: Annotated[str, StudyPath(), Advanced()] = ""
    """pyradiomics parameter file, whose preprocessing and values are reproduced; excludes the preset and the fields
    below."""
    spacing: Annotated[tuple[Positive, Positive, Positive] | None, Unit("mm")] = None
    """Voxel spacing (x, y, z) after interpolation."""
    interpolation: Annotated[Literal["linear", "spline"] | None, Advanced()] = None
    """Interpolation of the image; spline is cubic. The ROI is always interpolated linearly."""
    range: tuple[float, float] | None = None
    """Resegmentation: intensities that stay in the intensity mask, in the image's unit; after normalisation where the
    preset normalises. For every modality."""
    outliers: Annotated[Positive | None, Advanced()] = None
    """Resegmentation: intensities within so many standard deviations of the ROI's mean stay; IBSI uses 3."""
    bin_width: Positive | None = None
    """Width of the bins for texture, in the image's unit; fixed bin size, from the lower end of the range. After
    normalisation where the preset normalises. For every modality."""
    bin_count: Annotated[int, Field(ge=2, le=1024)] | None = None
    """Number of bins for texture, between the ROI's extremes; fixed bin number."""
    filters: tuple[Filter, ...] = ("original",)
    """Images that are measured: the original one and filtered ones."""
    log_sigma: Annotated[tuple[Positive, ...], Unit("mm"), Advanced()] = (1.0, 2.0, 3.0)
    """Widths of the Laplacian of Gaussian."""
    wavelet: Annotated[str, Advanced()] = "coif1"
    """Wavelet of the undecimated transform, by its name in PyWavelets."""
    perturbations: Annotated[tuple[Perturbation, ...], Advanced()] = ()
    """Perturbed images and contours whose features are published too, for the judgement of robustness."""
    perturbation_count: Annotated[int, Field(ge=1, le=100), Advanced()] = 5
    """Draws of each random perturbation."""
    seed: Annotated[int, Field(ge=0, lt=2**31), Advanced()] = 0
    """Seed of the perturbations."""
    jobs: Annotated[int, Field(ge=0), Execution(), Advanced()] = 0
    """Processes at once; 0: one per core."""
    cluster: Annotated[str, Execution(), Advanced()] = ""
    """Address of a Dask scheduler, e.g. tcp://127.0.0.1:8786; empty: this machine."""

    @model_validator(mode="after")
    def _consistent(self) -> RadiomicsSettings:
        if self.bin_width is not None and self.bin_count is not None:
            raise ValueError("give bin_width or bin_count, not both")
        if self.range is not None and self.range[0] >= self.range[1]:
            raise ValueError("range: the lower end must be below the upper one")
        for name in ("filters", "log_sigma"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise ValueError(f"{name}: give at least one, and none twice")
        own = (self.spacing, self.interpolation, self.range, self.outliers, self.bin_width, self.bin_count)
        if self.parameter_file and (self.preset != "auto" or any(value is not None for value in own)):
            raise ValueError("parameter_file brings its own preprocessing: leave preset, spacing, interpolation, "
                             "range, outliers, bin_width and bin_count out")
        if self.parameter_file and self.engine != "pyradiomics":
            raise ValueError("parameter_file is pyradiomics' own: it needs engine pyradiomics")
        return self
