"""Settings of the models stage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from medomicslab_nb.settings import Advanced, Execution, Settings


class ModelsSettings(Settings):
    """How a model is built and validated."""

    stage: ClassVar[str] = "models"

    outcome: str
    """Endpoint of the data dictionary, or a column."""
    time: str = ""
    """Follow-up column, when the outcome is an event column that the dictionary does not pair with one."""
    positive: str = ""
    """Class of the outcome that counts as the event; empty: 1, yes or true."""
    blocks: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Tables of each block of predictors, by the block's name; empty: every table, by its own block."""
    predictors: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Columns to use, by table; empty: every predictor of the data dictionary."""
    cohort: Annotated[str, Advanced()] = ""
    """Table of the patients to use; empty: the cohort of the newest data run, where there is one; all: everybody."""
    learner: Literal["default", "ridge", "forest"] = "default"
    """Model that is reported and kept: the named default, which inner cross-validation makes of both others, or one."""
    compare: bool = True
    """Also report plain ridge and plain forest under the same folds."""
    ablation: bool = True
    """Also model every block alone, under the same folds."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Outer folds."""
    repeats: Annotated[int, Field(ge=1, le=50)] = 2
    """Repeats of the outer folds."""
    inner_folds: Annotated[int, Field(ge=2, le=20), Advanced()] = 5
    """Inner folds, by which everything is chosen."""
    seed: Annotated[int, Field(ge=0, lt=2**31), Advanced()] = 0
    """Seed of splits, forests and bootstrap."""
    horizon: Annotated[float | None, Field(gt=0), Advanced()] = None
    """Time at which calibration is judged, in the unit of follow-up; empty: the median time of the events."""
    confidence: Annotated[float, Field(gt=0.5, lt=1), Advanced()] = 0.95
    """Level of the intervals."""
    explain: bool = True
    """SHAP values of the final model."""
    jobs: Annotated[int, Field(ge=0), Execution(), Advanced()] = 0
    """Processes at once; 0: one per core."""
