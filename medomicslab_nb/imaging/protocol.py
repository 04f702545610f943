"""How an image was made: the facts of scanner and protocol that a reader of results asks for; none identifies."""

from __future__ import annotations

from collections.abc import Sequence

from medomicslab_nb.imaging.dicom_headers import Header

_TEXTS = {"manufacturer": "Manufacturer", "model": "ManufacturerModelName", "software": "SoftwareVersions",
          "kernel": "ConvolutionKernel", "contrast_agent": "ContrastBolusAgent", "sequence": "ScanningSequence",
          "sequence_name": "SequenceName", "tracer": "Radiopharmaceutical", "pet_unit": "Units",
          "decay_correction": "DecayCorrection", "position": "PatientPosition"}
_NUMBERS = {"slice_thickness_mm": "SliceThickness", "kvp": "KVP", "tube_current_ma": "XRayTubeCurrent",
            "field_strength_t": "MagneticFieldStrength", "echo_time_ms": "EchoTime",
            "repetition_time_ms": "RepetitionTime", "inversion_time_ms": "InversionTime", "flip_angle_deg": "FlipAngle",
            "injected_dose_bq": "RadionuclideTotalDose", "half_life_s": "RadionuclideHalfLife",
            "frame_duration_ms": "ActualFrameDuration"}


def protocol_of(headers: Sequence[Header]) -> dict[str, str | float]:
    """The protocol of a series; what is missing or unreadable is left out, numbers are the first slice's."""
    values = headers[0].values
    texts = {name: values[keyword] for name, keyword in _TEXTS.items() if keyword in values}
    return texts | {name: values[keyword] for name, keyword in _NUMBERS.items() if keyword in values}
