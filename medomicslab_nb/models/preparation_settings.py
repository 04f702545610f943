"""Settings of the preparation of predictors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from medomicslab_nb.settings import Advanced, SettingsPart


class PreparationSettings(SettingsPart):
    """How predictors are prepared inside every training fold."""

    imputation: Literal["simple", "iterative"] = "simple"
    """Missing numbers: the median, or regression on the 20 most correlated columns (500 columns at most)."""
    icc: Annotated[float, Field(ge=0, lt=1), Advanced()] = 0.75
    """Intraclass correlation ICC(1,1) below which features are left out; where perturbed values are there."""
    harmonisation: Annotated[bool, Advanced()] = True
    """ComBat between centres, fitted without the outcome; where centres are known."""
    correlation: Annotated[float | None, Field(gt=0, lt=1), Advanced()] = None
    """Absolute Spearman correlation from which columns are represented by one of them; empty: all are kept."""
    selection: Literal["none", "univariate", "mrmr", "stability"] = "none"
    """Choice of columns by their relation with the outcome of the training patients."""
    features: Annotated[int, Field(ge=1)] = 20
    """Columns that the selection keeps."""
