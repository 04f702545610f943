"""A synthetic cohort of oropharyngeal cancer with known truth: clinical data, genes, tumours, notes, survival.

Nothing in it is measured on people. Survival follows proportional hazards with five true predictors (age, two genes,
tumour volume, heterogeneity of the tumour's uptake); everything else is a decoy. ``docs/synthetic.md`` describes the
generator in words and figures.

Everything is drawn from ``(seed, kind, patient)``, without clock or machine: the same seed gives the same cohort, and
the first patients of a larger cohort are those of a smaller one, but for their survival.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import pandas as pd

from medomicslab_nb.data.synthetic_omics import GENE_A, GENE_B, gene_table, radiomics_table
from medomicslab_nb.data.synthetic_tumour import Tumour, draw_tumour
from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.metrics import c_index

PATIENTS = 60
"""Patients of the sample sets: enough to see how everything works, in well under a minute."""

HOSPITALS = ("alpha", "beta", "gamma")
SUBSITES = ("tonsil", "base of tongue", "soft palate")
SEX = ("female", "male")

EFFECTS = MappingProxyType({"age": 0.5, GENE_A: 0.55, GENE_B: -0.55, "volume": 0.6, "heterogeneity": 0.5})
"""Log hazard ratio of each true predictor per standard deviation."""

ORACLE_C = (0.72, 0.78)
"""Harrell's C of the true linear predictor in a cohort with effects."""

LATENT_LIMIT = 2.2
"""Standardised quantities are cut here, so that every tumour fits into its image."""

_AGE, _AGE_SD = 61.0, 9.0  # years
_VOLUME_ML, _VOLUME_LOG_SD = 11.5, 0.9
_HETEROGENEITY, _HETEROGENEITY_LOG_SD = 0.35, 0.5
_SUV, _SUV_LOG_SD = 7.0, 0.35

_SHAPE = 1.3  # of the Weibull distribution of times
_SCALE_DAYS = 1600.0
_FOLLOW_UP_DAYS = (500.0, 2500.0)
_DRAWS = 200
_FIRST_START = np.datetime64("2015-01-05")

_KINDS = ("latent", "clinical", "genes", "survival", "tumour", "scene", "visit", "ct", "pt", "notes", "radiomics")


@dataclass(frozen=True, eq=False)
class Cohort:
    """A cohort and its truth.

    Attributes
    ----------
    seed : int
    effects : mapping
        Log hazard ratio of each true predictor per standard deviation; all 0 in the zero-effect twin.
    clinical : DataFrame, index = patient
        What a hospital would have, with the survival endpoint ``os``.
    genes : DataFrame, shape (n, 500), index = patient
        log2 expression with the batch effects of the hospitals.
    radiomics : DataFrame, index = patient
        Stand-in for measured features where images would take too long: true quantities with measurement error,
        scanner effects and decoys.
    truth : DataFrame, index = patient
        Standardised quantities (true predictors, and ``suv`` and ``texture``, which have no effect),
        ``linear_predictor``, and the same quantities in their units.
    """

    seed: int
    effects: dict[str, float]
    clinical: pd.DataFrame
    genes: pd.DataFrame
    radiomics: pd.DataFrame
    truth: pd.DataFrame

    @property
    def oracle_c(self) -> float:
        """Harrell's C of the true linear predictor; .5 when there is no effect."""
        return c_index(self.clinical["os_event"].to_numpy(), self.clinical["os_days"].to_numpy(float),
                       self.truth["linear_predictor"].to_numpy())


def generator(seed: int, kind: str, patient: int = 0) -> np.random.Generator:
    """The generator of one kind of draw of one patient; kinds do not disturb each other."""
    return np.random.default_rng([seed, _KINDS.index(kind), patient])


def draw_cohort(patients: int = PATIENTS, *, seed: int = 0, null: bool = False) -> Cohort:
    """Draw a cohort; images and notes are made of it by ``synthetic_images`` and ``synthetic_notes``.

    Parameters
    ----------
    patients : int
    seed : int
    null : bool
        The zero-effect twin: the same patients, with survival that depends on nothing.

    Raises
    ------
    DataError
        Fewer than one patient, or more than 9,999.
    """
    if not 1 <= patients <= 9999:
        raise DataError(f"{patients} patients were asked for", where="synthetic cohort", todo="Ask for 1 to 9999")
    index = pd.Index([f"SYN-{i:04d}" for i in range(1, patients + 1)], name="patient", dtype="str")
    latent = pd.DataFrame([_latent(generator(seed, "latent", i)) for i in range(patients)], index=index)
    effects = {name: 0.0 if null else value for name, value in EFFECTS.items()}
    truth = _truth(latent, effects, seed)
    clinical = pd.DataFrame([_clinical(truth.iloc[i], generator(seed, "clinical", i)) for i in range(patients)],
                            index=index)
    clinical = clinical.join(_survival(truth["linear_predictor"].to_numpy(), clinical["index_date"], seed))
    hospital = clinical["hospital"].map(HOSPITALS.index).to_numpy()
    return Cohort(seed, effects, clinical, gene_table(truth, hospital, generator(seed, "genes")),
                  radiomics_table(truth, hospital, generator(seed, "radiomics")), truth)


def _latent(rng: np.random.Generator) -> dict[str, float]:
    """Standardised quantities of one patient; the five true ones are independent of each other.

    ``suv`` (level of uptake) and ``texture`` (its correlation length) have no effect.
    """
    names = (*EFFECTS, "suv", "texture")
    values = dict(zip(names, rng.normal(size=len(names)), strict=True))
    # As in patients: larger tumours take up more.
    values["suv"] = 0.35 * values["volume"] + np.sqrt(1 - 0.35**2) * values["suv"]
    return {name: float(np.clip(value, -LATENT_LIMIT, LATENT_LIMIT)) for name, value in values.items()}


def _truth(latent: pd.DataFrame, effects: dict[str, float], seed: int) -> pd.DataFrame:
    truth = latent.copy()
    years = np.rint(_AGE + _AGE_SD * truth["age"])
    truth["age"] = (years - _AGE) / _AGE_SD  # the age that the table gives is the one that acts
    truth["linear_predictor"] = sum(truth[name] * value for name, value in effects.items())
    truth["age_years"] = years.astype(int)
    truth["volume_ml"] = _VOLUME_ML * np.exp(_VOLUME_LOG_SD * latent["volume"])
    truth["uptake_cv"] = _HETEROGENEITY * np.exp(_HETEROGENEITY_LOG_SD * latent["heterogeneity"])
    truth["suv_mean"] = _SUV * np.exp(_SUV_LOG_SD * latent["suv"])
    truth["texture_mm"] = 9.0 + 1.5 * latent["texture"]
    tumours = [tumour_of(i, volume, seed) for i, volume in enumerate(truth["volume_ml"])]
    truth["length_mm"], truth["width_mm"] = zip(*(tumour.length_and_width() for tumour in tumours), strict=True)
    return truth


def tumour_of(number: int, volume_ml: float, seed: int) -> Tumour:
    """The tumour of the patient at that position of the cohort."""
    return draw_tumour(volume_ml, generator(seed, "tumour", number))


def _clinical(truth: pd.Series, rng: np.random.Generator) -> dict[str, object]:
    """One row of the clinical table. Stage follows the tumour's size, ECOG the age: decoys of the true predictors."""
    sex = SEX[int(rng.random() < 0.72)]
    height = rng.normal(1.75 if sex == "male" else 1.63, 0.06)
    smoking = ("never", "former", "current")[int(rng.choice(3, p=[0.3, 0.4, 0.3]))]
    pack_years = 0.0 if smoking == "never" else float(np.rint(rng.gamma(4, 8) + 2))
    start = _FIRST_START + np.timedelta64(int(rng.integers(0, 1400)), "D")
    return {
        "hospital": HOSPITALS[int(rng.integers(len(HOSPITALS)))],
        "diagnosis_date": start - np.timedelta64(int(rng.integers(28, 60)), "D"),
        "imaging_date": start - np.timedelta64(int(rng.integers(6, 22)), "D"),
        "index_date": start,
        "age": int(truth["age_years"]), "sex": sex, "height_m": round(height, 2),
        "weight_kg": round(float(rng.normal(25.5, 3.5)) * height**2, 0),
        "ecog": int(np.digitize(0.35 * truth["age"] + rng.normal(), [0.1, 1.3, 2.3])),
        "smoking": smoking, "pack_years": np.nan if pack_years and rng.random() < 0.08 else pack_years,
        "p16": (None, "positive", "negative")[int(rng.choice(3, p=[0.1, 0.5, 0.4]))],
        "side": ("left", "right")[int(rng.integers(2))], "subsite": SUBSITES[int(rng.choice(3, p=[0.55, 0.35, 0.1]))],
        "t_stage": f"T{1 + int(np.digitize(truth['length_mm'], [20, 40], right=True))}",
        "n_stage": f"N{int(np.digitize(0.3 * truth['volume'] + rng.normal(), [-0.4, 0.3, 1.8]))}"}


def _survival(linear_predictor: np.ndarray, start: pd.Series, seed: int) -> pd.DataFrame:
    """Follow-up in days and whether death was seen.

    Times are Weibull with proportional hazards; censoring is uniform (staggered entry) and tells nothing. With effects
    the whole draw is repeated until the oracle's C lies in :data:`ORACLE_C`; in very small cohorts, where that may
    never be, the nearest of many draws is taken.
    """
    days, event = _times(linear_predictor, seed, 0)
    if linear_predictor.any():
        days, event = _near_oracle(linear_predictor, seed)
    contact = start + pd.to_timedelta(days, unit="D").to_numpy().astype("timedelta64[s]")
    return pd.DataFrame({"last_contact_date": contact, "os_event": event, "os_days": days}, index=start.index)


def _near_oracle(linear_predictor: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draws = []
    for number in range(_DRAWS):
        days, event = _times(linear_predictor, seed, number)
        c = c_index(event, days.astype(float), linear_predictor)
        if ORACLE_C[0] <= c <= ORACLE_C[1]:
            return days, event
        draws.append((np.inf if np.isnan(c) else abs(c - sum(ORACLE_C) / 2), number))
    return _times(linear_predictor, seed, min(draws)[1])


def _times(linear_predictor: np.ndarray, seed: int, draw: int) -> tuple[np.ndarray, np.ndarray]:
    rng = generator(seed, "survival", draw)
    n = len(linear_predictor)
    death = _SCALE_DAYS * (rng.exponential(size=n) / np.exp(linear_predictor)) ** (1 / _SHAPE)
    end = rng.uniform(*_FOLLOW_UP_DAYS, size=n)
    return np.ceil(np.minimum(death, end)).astype(int), death <= end

