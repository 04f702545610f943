"""The pipeline: several stages one after the other, each with its own settings and its own run."""

from __future__ import annotations

from typing import ClassVar

from pydantic import model_validator

from medomicslab_nb.data.settings import DataSettings
from medomicslab_nb.federated.settings import FederatedSettings
from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.progress import Progress
from medomicslab_nb.radiomics.settings import RadiomicsSettings
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import replay, run as run_stage
from medomicslab_nb.settings import Settings
from medomicslab_nb.stages import StageResult
from medomicslab_nb.study import Study
from medomicslab_nb.tables import Input
from medomicslab_nb.text.settings import TextSettings


class PipelineSettings(Settings):
    """Which stages are run, in this order, and with which settings."""

    stage: ClassVar[str] = "pipeline"
    version: ClassVar[int] = 5  # 2: radiomics; 3: models of version 2; 4: text; 5: federated

    data: DataSettings | None = DataSettings()
    """Settings of the data stage; null leaves it out."""
    radiomics: RadiomicsSettings | None = None
    """Settings of the radiomics stage; null leaves it out."""
    text: TextSettings | None = None
    """Settings of the text stage; null leaves it out."""
    models: ModelsSettings | None = None
    """Settings of the models stage; null leaves it out."""
    federated: FederatedSettings | None = None
    """Settings of the federated stage; null leaves it out."""

    @model_validator(mode="after")
    def _not_empty(self) -> PipelineSettings:
        if not self.parts():
            raise ValueError("no stage is named; give settings for one at least")
        return self

    def parts(self) -> dict[str, Settings]:
        """The settings of every stage that is run, in order."""
        return {name: value for name in type(self).model_fields if (value := getattr(self, name)) is not None}


def run(study: TrackedStudy, settings: PipelineSettings, progress: Progress) -> StageResult:
    """Run every named stage; a replay replays the runs of then."""
    import pandas as pd

    parts = settings.parts()
    records = {}
    with progress.task("pipeline", total=len(parts)) as step:
        for name, part in parts.items():
            records[name] = _run_part(study, name, part, progress)
            step()
    rows = [(name, record.digest, table, sha256) for name, record in records.items()
            for table, sha256 in record.table_hashes.items()]
    return StageResult(
        tables={"stages": pd.DataFrame(rows, columns=["stage", "digest", "table", "sha256"], dtype="str")},
        metrics={name: {"run": record.id, **record.metrics} for name, record in records.items()},
        warnings=tuple(text for record in records.values() for text in record.warnings))


def _run_part(study: TrackedStudy, name: str, settings: Settings, progress: Progress) -> RunRecord:
    key = f"run:{name}"
    if study.pins is None:
        record = run_stage(name, Study(study.path), settings, sinks=[progress.forward])
        study.note(Input(key, record.id, record.digest))
    else:
        study.note(study.pins[key])
        record, _ = replay(study.run(study.pins[key].ref), sinks=[progress.forward])
    return record

