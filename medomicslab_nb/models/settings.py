"""Settings of the models stage."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from medomicslab_nb.evaluation.event_dates_settings import EventDates
from medomicslab_nb.models.preparation_settings import PreparationSettings
from medomicslab_nb.settings import Advanced, Execution, Settings


class ModelsSettings(Settings):
    """How a model is built and validated."""

    stage: ClassVar[str] = "models"
    version: ClassVar[int] = 2  # 2: all kinds of endpoint, fusion, preparation, validation schemes

    outcome: str
    """Endpoint of the data dictionary, a column, or the name of the endpoint that 'dates' builds."""
    time: str = ""
    """Follow-up column, when the outcome is an event column that the dictionary does not pair with one."""
    positive: str = ""
    """Class of the outcome that counts as the event; empty: 1, yes or true."""
    kind: Annotated[Literal["auto", "binary", "multiclass", "continuous"], Advanced()] = "auto"
    """What a column without follow-up holds; auto: what it looks like, or a question."""
    dates: Annotated[EventDates | None, Advanced()] = None
    """Build a survival endpoint (OS, PFS, DFS, ...) from columns of dates."""
    landmark: Annotated[float | None, Field(gt=0), Advanced()] = None
    """Time from the anchor, in the unit of follow-up, from which patients still at risk are analysed."""
    blocks: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Tables of each block of predictors, by the block's name; empty: every table, by its own block."""
    predictors: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Columns to use, by table; empty: every predictor of the data dictionary."""
    visits: Annotated[dict[str, tuple[float, float]], Advanced()] = {}
    """Tables with dated visits: the window after the index date, in the unit of follow-up, whose changes predict."""
    cohort: Annotated[str, Advanced()] = ""
    """Table of the patients to use; empty: the cohort of the newest data run, where there is one; all: everybody."""
    complete: Annotated[bool, Advanced()] = False
    """Leave out patients who lack a block; otherwise what lacking one means is learned in training."""
    centre: Annotated[str, Advanced()] = ""
    """Column that names each patient's hospital; empty: the column of role centre, where there is one; none."""
    learner: Literal["default", "ridge", "forest", "lasso", "elastic net", "boosting", "svm", "lightgbm", "xgboost",
                     "plain"] = "default"
    """Model that is reported and kept: the named default (ridge and forest, weighted), or one alone."""
    compare: bool = True
    """Also report plain ridge and plain forest under the same folds."""
    clinical_score: Annotated[tuple[str, ...], Advanced()] = ()
    """Columns of a plain regression that stands beside the model as a baseline, e.g. age, T, N and stage."""
    fusion: Annotated[Literal["late", "early", "penalised"], Advanced()] = "late"
    """Blocks together: stacked scores of each, all columns at once, or one ridge with a penalty for each block."""
    ablation: bool = True
    """Also model the blocks alone and in every combination, under the same folds."""
    preparation: Annotated[PreparationSettings, Advanced()] = PreparationSettings()
    """Imputation, harmonisation and selection, inside every training fold."""
    balanced: Annotated[bool, Advanced()] = False
    """Weight classes by the inverse of their frequency; probabilities are calibrated in any case."""
    search: Annotated[Literal["grid", "optuna"], Advanced()] = "grid"
    """How boosting and svm are tuned by the inner folds: over a grid, or by Optuna."""
    trials: Annotated[int, Field(ge=2, le=200), Advanced()] = 20
    """Candidates of that search, at most."""
    validation: Literal["cross-validation", "leave one centre out", "external", "sealed"] = "cross-validation"
    """Repeated nested cross-validation; every centre held out in turn; other tables; or the study's sealed test."""
    reason: Annotated[str, Advanced()] = ""
    """Why the sealed test is opened, which can be done once; it is written into the study's log."""
    external: Annotated[dict[str, str], Advanced()] = {}
    """Tables of the external patients, by the table of the development patients that each stands for."""
    folds: Annotated[int, Field(ge=2, le=20)] = 5
    """Outer folds."""
    repeats: Annotated[int, Field(ge=1, le=50)] = 2
    """Repeats of the outer folds."""
    inner_folds: Annotated[int, Field(ge=2, le=20), Advanced()] = 5
    """Inner folds, by which everything is chosen."""
    permutations: Annotated[int, Field(ge=0, le=1000), Advanced()] = 0
    """Permutations of the outcome under which all is repeated, for a p-value; 20 or more say something."""
    subsamples: Annotated[int, Field(ge=0, le=500), Advanced()] = 0
    """Subsamples for the .632+ estimate; 0: none."""
    groups: Annotated[int, Field(ge=2, le=4), Advanced()] = 2
    """Risk groups, cut at quantiles of the training folds' scores."""
    subgroups: Annotated[tuple[str, ...], Advanced()] = ()
    """Categorical columns by which performance is also reported; cells of fewer than 5 patients are hidden."""
    seed: Annotated[int, Field(ge=0, lt=2**31), Advanced()] = 0
    """Seed of splits, forests and bootstrap."""
    horizon: Annotated[float | None, Field(gt=0), Advanced()] = None
    """Time at which calibration is judged, in the unit of follow-up; empty: the median time of the events."""
    confidence: Annotated[float, Field(gt=0.5, lt=1), Advanced()] = 0.95
    """Level of the intervals."""
    explain: bool = True
    """SHAP values, partial dependence and nomogram of the final model."""
    jobs: Annotated[int, Field(ge=0), Execution(), Advanced()] = 0
    """Processes at once; 0: one per core."""
