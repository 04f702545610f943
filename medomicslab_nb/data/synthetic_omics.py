"""Wide tables of the synthetic cohort: gene expression, and a stand-in for measured image features.

A decoy is correlated with a true predictor and has no effect of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

GENES = 500
GENE_A, GENE_B = "GENE_137", "GENE_342"
"""The two genes with an effect."""

FEATURE_OF = MappingProxyType({"age": "age", GENE_A: GENE_A, GENE_B: GENE_B, "volume": "pt_log_volume",
                               "heterogeneity": "pt_uptake_cv"})
"""Column of the tables that measures each true predictor."""

_LAYOUT = 137_342  # seed of what does not differ between cohorts: which gene is which
_MODULES = 12
_RELIABILITY = 0.98  # correlation of a measured value with the true one, within a hospital
_BATCH_SD = 0.3  # of the hospitals' shifts, in standard deviations of a gene or feature

_DECOYS: Mapping[str, tuple[float, float, int]] = {
    GENE_A: (0.3, 0.65, 10), GENE_B: (0.3, 0.65, 10), "volume": (0.25, 0.55, 6), "heterogeneity": (0.25, 0.55, 6),
    "age": (0.2, 0.5, 6)}
"""Correlations (from, to) and number of the genes that follow each true predictor."""

_FEATURES: Mapping[str, Mapping[str, float]] = {
    "pt_log_volume": {"volume": _RELIABILITY}, "pt_uptake_cv": {"heterogeneity": _RELIABILITY},
    "pt_max_diameter": {"volume": 0.7}, "pt_surface": {"volume": 0.7}, "pt_sphericity": {"volume": -0.3},
    "pt_suv_mean": {"suv": 0.95}, "pt_suv_max": {"suv": 0.8, "heterogeneity": 0.3}, "pt_suv_peak": {"suv": 0.9},
    "pt_tlg": {"volume": 0.5, "suv": 0.5}, "pt_mtv": {"volume": 0.65},
    "pt_entropy": {"heterogeneity": 0.65}, "pt_glcm_contrast": {"heterogeneity": 0.6, "texture": -0.3},
    "pt_glcm_correlation": {"volume": 0.3, "texture": 0.6}, "pt_ngtdm_coarseness": {"volume": -0.5},
    "pt_ngtdm_busyness": {"volume": 0.3, "texture": 0.3}, "pt_skewness": {"heterogeneity": 0.4},
    "pt_kurtosis": {"heterogeneity": 0.3}, "ct_mean": {}, "ct_standard_deviation": {"heterogeneity": 0.55},
    "ct_entropy": {"heterogeneity": 0.6}, "ct_volume": {"volume": 0.6}, "ct_glcm_contrast": {"heterogeneity": 0.4},
    "ct_skewness": {}, "ct_kurtosis": {}, "ct_energy": {"volume": 0.5}, "ct_minimum": {}, "ct_maximum": {},
    "ct_glrlm_long_runs": {}, "ct_glszm_zones": {"volume": 0.4}, "ct_gldm_dependence": {}}
"""Weight of each standardised quantity in each feature; the rest of its variance is noise."""


def gene_roles() -> pd.Series:
    """What each gene is, index = gene: ``true``, ``decoy of X`` or ``module K``."""
    roles = [f"decoy of {owner}" for owner, (_, _, count) in _DECOYS.items() for _ in range(count)]
    roles += [f"module {k % _MODULES + 1}" for k in range(GENES - 2 - len(roles))]
    names = [f"GENE_{i:03d}" for i in range(1, GENES + 1)]
    free = [name for name in names if name not in (GENE_A, GENE_B)]
    order = np.random.default_rng(_LAYOUT).permutation(len(free))
    found = pd.Series(roles, index=[free[i] for i in order])
    return pd.concat([found, pd.Series("true", index=[GENE_A, GENE_B])]).reindex(names).rename("role")


def gene_table(truth: pd.DataFrame, hospital: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """log2 expression, shape (n, 500): true genes, their decoys, modules that vary together, batch effects."""
    roles = gene_roles()
    correlation = _correlations(roles)
    n = len(truth)
    modules = rng.normal(size=(n, _MODULES))
    source = np.column_stack([_source(gene, role, truth, modules) for gene, role in roles.items()])
    noise = rng.normal(size=(n, GENES))
    values = correlation * source + np.sqrt(1 - correlation**2) * noise
    values += rng.normal(0, _BATCH_SD, size=(3, GENES))[hospital]
    layout = np.random.default_rng([_LAYOUT, 2])
    level, spread = layout.uniform(4, 12, GENES), layout.uniform(0.5, 1.5, GENES)
    return pd.DataFrame(np.round(level + spread * values, 3).astype("float32"), index=truth.index,
                        columns=roles.index.tolist())


def _correlations(roles: pd.Series) -> np.ndarray:
    """Correlation of each gene with what it follows, shape (500,)."""
    values = pd.Series(np.random.default_rng([_LAYOUT, 1]).uniform(0.3, 0.8, len(roles)), index=roles.index)
    values[roles == "true"] = _RELIABILITY
    for owner, (lowest, highest, count) in _DECOYS.items():
        values[roles == f"decoy of {owner}"] = np.linspace(lowest, highest, count)
    return values.to_numpy()


def _source(gene: str, role: str, truth: pd.DataFrame, modules: np.ndarray) -> np.ndarray:
    if role == "true":
        return truth[gene].to_numpy()
    if role.startswith("module"):
        return modules[:, int(role.split()[1]) - 1]
    return truth[role.removeprefix("decoy of ")].to_numpy()


def radiomics_table(truth: pd.DataFrame, hospital: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Standardised features, shape (n, 30): two measure true predictors, the others are decoys or noise."""
    columns = {}
    for name, weights in _FEATURES.items():
        rest = np.sqrt(max(0.05, 1 - sum(weight**2 for weight in weights.values())))
        signal = sum((weight * truth[owner].to_numpy() for owner, weight in weights.items()),
                     np.zeros(len(truth)))
        shift = rng.normal(0, _BATCH_SD, size=3)[hospital]
        columns[name] = np.round(signal + rest * rng.normal(size=len(truth)) + shift, 4)
    return pd.DataFrame(columns, index=truth.index)
