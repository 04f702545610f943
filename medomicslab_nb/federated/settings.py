"""Settings of the federated stage, and the rules that a site sets for what may leave it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from medomicslab_nb.settings import Advanced, Execution, Settings, SettingsPart, StudyPath, Unit

Algorithm = Literal["logistic", "linear", "cox", "kaplan-meier", "network", "trees"]
Backend = Literal["local", "ray", "deploy"]


class PolicySettings(SettingsPart):
    """What a site lets out. Sites that are simulated follow those of the run; a real site has its own."""

    algorithms: tuple[Algorithm, ...] = ()
    """Algorithms that may run; empty: all."""
    columns: tuple[str, ...] = ()
    """Columns that may be used, outcome included; empty: all of the study's patient tables."""
    minimum_patients: Annotated[int, Field(ge=1), Unit("patients")] = 20
    """Patients of the site with an outcome, with fewer of whom it takes no part."""
    minimum_events: Annotated[int, Field(ge=0)] = 5
    """Events, and for classes also patients without one, with fewer of which it takes no part."""
    minimum_count: Annotated[int, Field(ge=1)] = 5
    """Patients behind every number that leaves, and by whom two cohorts of which sums have left may differ at least."""
    rounds_per_day: Annotated[int, Field(ge=1)] = 2000
    """Questions that are answered in 24 hours."""


class NetworkSettings(SettingsPart):
    """A network (multilayer perceptron) whose weights travel."""

    strategy: Literal["fedavg", "fedprox", "fedadam"] = "fedavg"
    """How weights of sites become one: mean weighted by patients, the same with a proximal term at the sites, or
    Adam at the server."""
    rounds: Annotated[int, Field(ge=1, le=1000)] = 30
    """Rounds of training."""
    hidden: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = (16,)
    """Units of each hidden layer; empty: a linear model."""
    epochs: Annotated[int, Field(ge=1, le=100)] = 2
    """Passes over a site's patients in each round."""
    batch: Annotated[int, Field(ge=1), Unit("patients")] = 32
    """Patients of a step."""
    learning_rate: Annotated[float, Field(gt=0)] = 0.05
    """Of stochastic gradient descent at the sites."""
    server_learning_rate: Annotated[float, Field(gt=0)] = 0.05
    """Of Adam at the server; fedadam only."""
    proximal: Annotated[float, Field(ge=0)] = 0.1
    """Weight of the squared distance to the round's weights; fedprox only."""


class TreesSettings(SettingsPart):
    """Gradient boosted trees, of which each site grows one a round on bins that all share."""

    rounds: Annotated[int, Field(ge=1, le=500)] = 20
    """Rounds of boosting."""
    depth: Annotated[int, Field(ge=1, le=6)] = 2
    """Splits from the root to a leaf, at most."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of a round's trees that is added."""
    bins: Annotated[int, Field(ge=2, le=64)] = 16
    """Bins of each numeric column, cut where all sites together have quantiles."""


class PrivacySettings(SettingsPart):
    """Differential privacy, for networks."""

    kind: Literal["none", "local", "central"] = "none"
    """None; local: every step of training at a site is clipped and noised (DP-SGD); central: each site's update is
    clipped and the sum is noised by the coordinator, who must be trusted."""
    noise: Annotated[float, Field(gt=0)] = 1.0
    """Standard deviation of the noise, in multiples of the clipping norm."""
    clip: Annotated[float, Field(gt=0)] = 1.0
    """Norm to which a patient's gradient (local) or a site's update (central) is clipped."""
    delta: Annotated[float, Field(gt=0, lt=1)] = 1e-5
    """Probability with which epsilon may be exceeded; below one over the number of patients."""


class FederatedSettings(Settings):
    """A model that is fitted over several sites, and what each site lets out for it."""

    stage: ClassVar[str] = "federated"

    outcome: str
    """Endpoint of the data dictionary, or a column that all sites have."""
    time: str = ""
    """Follow-up column, when the outcome is an event column that the dictionary does not pair with one."""
    algorithm: Algorithm = "logistic"
    """Logistic or linear regression, Cox regression stratified by site, Kaplan-Meier curve, a network, or boosted
    trees."""
    site_column: str = ""
    """Simulate sites from a column of this study, e.g. hospital: one site for each of its values."""
    sites: Annotated[dict[str, Annotated[str, StudyPath()]], Advanced()] = {}
    """Study folders on this machine that are sites, by the site's name."""
    federation: Annotated[str, StudyPath(), Advanced()] = ""
    """Folder of a federation whose sites have registered (medomicslab federation); for the backend deploy."""
    backend: Annotated[Backend, Execution()] = "local"
    """local: in this process; ray: Flower's simulation; deploy: the servers of a federation."""
    positive: Annotated[str, Advanced()] = ""
    """Class of the outcome that counts as the event; empty: 1, yes or true."""
    predictors: Annotated[dict[str, tuple[str, ...]], Advanced()] = {}
    """Columns to use, by table; empty: every predictor of the data dictionary, which must be the same at all sites."""
    true_zeros: Annotated[tuple[str, ...], Advanced()] = ()
    """Columns in which 0 is a value though it looks like a missing one, e.g. the dose of who was not treated."""
    required: Annotated[tuple[str, ...], Advanced()] = ()
    """Sites that must answer every round; empty: all. A run never goes on with fewer than these."""
    missing: Literal["stop", "wait"] = "stop"
    """When a required site does not answer: stop and say which, or wait for it and say so."""
    deadline: Annotated[float, Field(gt=0), Unit("s"), Execution(), Advanced()] = 300.0
    """Time that a site has for an answer, after which it is missing."""
    patience: Annotated[float, Field(ge=0), Unit("h"), Execution(), Advanced()] = 24.0
    """How long a missing site is waited for, at most."""
    penalty: Annotated[float, Field(ge=0)] = 1.0
    """Ridge penalty of the regressions, on standardised columns, as scikit-learn's 1 / C; 0: none."""
    ties: Annotated[Literal["efron", "breslow"], Advanced()] = "efron"
    """Cox regression: approximation where events share a time."""
    harmonisation: Annotated[bool, Advanced()] = False
    """ComBat between sites, with parameters that all share, before anything is fitted."""
    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.2
    """Share of each site's patients who are kept out of training and judge the model."""
    test: Annotated[dict[str, str], Advanced()] = {}
    """Instead: the patients with this value in this column judge the model, e.g. {split: test}."""
    test_sites: Annotated[tuple[str, ...], Advanced()] = ()
    """Sites whose patients judge the model, and of whom nobody trains it."""
    external: bool = True
    """Also leave each site out in turn, and judge the model of the others there."""
    compare: bool = True
    """Also fit each site alone, and where sites are simulated all patients together."""
    explain: Annotated[bool, Advanced()] = True
    """Mean absolute SHAP values over all sites."""
    bins: Annotated[int, Field(ge=4, le=1000), Advanced()] = 50
    """Bins of scores and of times, of which only counts leave a site."""
    horizon: Annotated[float | None, Field(gt=0), Advanced()] = None
    """End of the curve, and of the follow-up by which a Cox model is judged, in the unit of follow-up; empty: as long
    as the minimum count is at risk, and all of it."""
    network: Annotated[NetworkSettings, Advanced()] = NetworkSettings()
    """The network and its training."""
    trees: Annotated[TreesSettings, Advanced()] = TreesSettings()
    """The trees and their growth."""
    privacy: Annotated[PrivacySettings, Advanced()] = PrivacySettings()
    """Differential privacy."""
    policy: Annotated[PolicySettings, Advanced()] = PolicySettings()
    """What simulated sites let out; a real site's own rules are in its folder."""
    seed: Annotated[int, Field(ge=0, lt=2**31), Advanced()] = 0
    """Seed of initial weights, batches and noise."""

    @model_validator(mode="after")
    def _clear(self) -> Self:
        named = [name for name in ("site_column", "sites", "federation") if getattr(self, name)]
        if len(named) > 1:
            raise ValueError(f"{' and '.join(named)} cannot both say where the sites are: keep one")
        if self.backend == "deploy" and not self.federation:
            raise ValueError("the backend deploy needs the setting 'federation'")
        if self.privacy.kind != "none" and self.algorithm != "network":
            raise ValueError("differential privacy is offered for the algorithm network only: the sums of the others "
                             "are exact")
        if len(self.test) > 1:
            raise ValueError("test names one column")
        return self
