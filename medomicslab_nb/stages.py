"""The registry of stages, as strings: nothing is imported until a stage is used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from medomicslab_nb.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from medomicslab_nb.settings import Settings


@dataclass(frozen=True)
class StageResult:
    """What a stage hands back; the run writes it, the stage does not."""

    tables: Mapping[str, pd.DataFrame]
    """Published tables by name. Rows in a fixed order; no time, path or run id inside."""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    """Headline numbers as JSON types. No identifiers."""
    models: Mapping[str, bytes] = field(default_factory=dict)
    """Model files by file name."""
    warnings: tuple[str, ...] = ()
    """What a reader must know, in whole sentences without identifiers; shown first in the report."""


class StageFunction(Protocol):
    """``run(study, settings, progress) -> StageResult``: the only part of a stage that touches the study."""

    def __call__(self, study: Any, settings: Any, progress: Any) -> StageResult: ...


@dataclass(frozen=True)
class Stage:
    """One entry of the registry; functions and classes are named as ``module:attribute``."""

    name: str
    title: str
    settings: str
    function: str
    view: str
    template: str

    def settings_class(self) -> type[Settings]:
        return load(self.settings)  # type: ignore[no-any-return]

    def load_function(self) -> StageFunction:
        return load(self.function)  # type: ignore[no-any-return]


STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in (
        Stage("data", "Data", "medomicslab_nb.data.settings:DataSettings", "medomicslab_nb.data.stage:run",
              "medomicslab_nb.views.data_loader:DataLoader", "01_data.ipynb"),
        Stage("radiomics", "Radiomics", "medomicslab_nb.radiomics.settings:RadiomicsSettings",
              "medomicslab_nb.radiomics.stage:run", "medomicslab_nb.views.radiomics_viewer:RadiomicsViewer",
              "02_radiomics.ipynb"),
        Stage("text", "Text", "medomicslab_nb.text.settings:TextSettings", "medomicslab_nb.text.stage:run",
              "medomicslab_nb.views.text_reader:TextReader", "05_text.ipynb"),
        Stage("models", "Models", "medomicslab_nb.models.settings:ModelsSettings", "medomicslab_nb.models.stage:run",
              "medomicslab_nb.views.model_builder:ModelBuilder", "03_models.ipynb"),
        Stage("federated", "Federated learning", "medomicslab_nb.federated.settings:FederatedSettings",
              "medomicslab_nb.federated.stage:run", "medomicslab_nb.views.federated_runner:FederatedRunner",
              "06_federated.ipynb"),
        Stage("pipeline", "Pipeline", "medomicslab_nb.pipeline:PipelineSettings", "medomicslab_nb.pipeline:run",
              "medomicslab_nb.views.stage_view:StageView", "00_pipeline.ipynb"),
    )
}


def get_stage(name: str) -> Stage:
    """The stage of that name.

    Raises
    ------
    SettingsError
        The name is unknown; the message gives the nearest one.
    """
    if name in STAGES:
        return STAGES[name]
    near = difflib.get_close_matches(name, STAGES, n=1)
    hint = f"Did you mean '{near[0]}'?" if near else f"Known stages: {', '.join(STAGES)}"
    raise SettingsError(f"there is no stage '{name}'", todo=hint)


def load(reference: str) -> Any:
    """Import what ``module:attribute`` names."""
    module, _, attribute = reference.partition(":")
    return getattr(importlib.import_module(module), attribute)
