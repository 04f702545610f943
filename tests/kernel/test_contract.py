"""The kernel's contract, for every stage in the registry: a new stage inherits it the day it is registered."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.errors import Cancelled, SettingsError
from medomicslab_nb.notebook import find_template, run_notebook
from medomicslab_nb.progress import Event
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import RUN_FOLDER, prepare, replay, start, verify
from medomicslab_nb.settings import Execution, fields_of, marker
from medomicslab_nb.stages import STAGES, get_stage
from medomicslab_nb.tables import Column
from tests.image_study import add_images

_MODELS = {"outcome": "relapse", "folds": 2, "repeats": 1, "inner_folds": 2}
EXAMPLES: dict[str, dict[str, Any]] = {
    "data": {},
    "models": _MODELS,
    "radiomics": {"preset": "plain", "perturbations": ["growth", "noise"], "perturbation_count": 1},
    "text": {"terms": {"emboli": ["embolies vasculaires", "LVI"]}},
    # Each grade stands for a hospital.
    "federated": {"outcome": "relapse", "site_column": "grade", "policy": {
        "minimum_patients": 5, "minimum_events": 1, "minimum_count": 1}},
    "pipeline": {"data": {}, "models": _MODELS},
}
GOLDEN = json.loads((Path(__file__).parent / "golden_digests.json").read_text())
STAGE_NAMES = sorted(STAGES)


def make_study(path: Path) -> ml.Study:
    """Sixty patients with a clinical and an expression table; relapse depends on size and two genes."""
    rng = np.random.default_rng(7)
    patients = [f"CASE-{i:04d}" for i in range(60)]
    size, genes = rng.normal(20, 5, 60), rng.normal(size=(60, 12))
    risk = (size - 20) / 5 + genes[:, 0] - genes[:, 1]
    study = ml.create_study(path)
    study.add_table(
        "clinical",
        pd.DataFrame(
            {
                "patient": patients,
                "size": size.round(1),
                "grade": rng.choice(["I", "II", "III"], 60),
                "relapse": (risk + rng.normal(size=60) > 0).astype(int),
            }
        ),
        columns={
            "size": Column(unit="mm"),
            "grade": Column(type="category"),
            "relapse": Column(role="outcome", type="boolean"),
        },
    )
    study.add_table(
        "genes",
        pd.DataFrame(genes, index=patients, columns=[f"g{i}" for i in range(12)]),
        block="genes",
        transposed=True,
        default_column=Column(),
    )
    study.add_table("notes", pd.DataFrame(_notes(patients[:10])), block="notes", level="visit", date_column="date",
                    columns={"date": Column(role="date", type="date"), "note": Column(role="ignore", type="text"),
                             "text": Column(role="ignore", type="text")})
    add_images(study, patients[:4])
    return study


def _notes(patients: list[str]) -> Iterator[dict[str, str]]:
    """A note in French and one in English of each patient."""
    for place, patient in enumerate(patients):
        words = {"fr": f"Carcinome canalaire du sein gauche, classé pT{1 + place % 3}N0M0. Embolies vasculaires.",
                 "en": f"ECOG {place % 2}. No evidence of recurrence in the left breast; LVI was not seen."}
        for language, text in words.items():
            yield {"patient": patient, "note": f"{language}-{place}", "date": f"2020-03-{place + 1:02d}", "text": text}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, tuple[ml.Study, RunRecord]]]:
    """One completed run of each stage, made when first asked for; tests that change a study make their own."""
    made: dict[str, tuple[ml.Study, RunRecord]] = {}

    class Lazy(dict[str, tuple[ml.Study, RunRecord]]):
        def __missing__(self, stage: str) -> tuple[ml.Study, RunRecord]:
            study = make_study(tmp_path_factory.mktemp(stage) / "study")
            made[stage] = self[stage] = study, ml.run(stage, study, EXAMPLES[stage], sinks=[])
            return self[stage]

    yield Lazy()


def without_execution(stage: str) -> dict[str, Any]:
    """The numbers among the execution fields, set to 1; an address of a cluster cannot be made up."""
    return {name: 1 for name, field in fields_of(get_stage(stage).settings_class())
            if marker(field, Execution) and field.annotation is int}


def test_every_stage_has_an_example_a_template_and_a_golden_digest() -> None:
    assert set(EXAMPLES) == set(STAGE_NAMES) == set(GOLDEN)
    for stage in STAGE_NAMES:
        assert find_template(STAGES[stage].template).exists()


@pytest.mark.parametrize("stage", STAGE_NAMES)
class TestContract:
    def test_every_setting_is_described(self, stage: str) -> None:
        for name, field in fields_of(get_stage(stage).settings_class()):
            assert field.description, f"{stage}.{name} has no docstring"

    def test_typo_is_refused_with_the_nearest_name(self, stage: str) -> None:
        cls = get_stage(stage).settings_class()
        name = max(cls.model_fields, key=len)
        with pytest.raises(SettingsError, match=f"did you mean '{name}'"):
            cls.parse({**EXAMPLES[stage], name + "s": 1})

    def test_digest_is_the_golden_one_in_any_process(self, stage: str) -> None:
        """It changes only with the settings version: else every stored run would look different."""
        cls = get_stage(stage).settings_class()
        assert cls.parse(EXAMPLES[stage]).digest() == GOLDEN[stage]
        changed = {**EXAMPLES[stage], **dict.fromkeys(without_execution(stage), 3)}
        assert cls.parse(changed).digest() == GOLDEN[stage], "execution fields are no part of the digest"

    def test_same_bytes_from_two_jobs_one_job_and_cache(self, stage: str, finished: Any, tmp_path: Path) -> None:
        study, first = finished[stage]
        cached = ml.run(stage, study, EXAMPLES[stage], sinks=[])
        fresh = ml.run(stage, make_study(tmp_path / "study"), {**EXAMPLES[stage], **without_execution(stage)}, sinks=[])
        assert first.table_hashes == cached.table_hashes == fresh.table_hashes

    def test_papermill_and_child_process_give_the_same_bytes(self, stage: str, finished: Any) -> None:
        study, first = finished[stage]
        child = start(stage, study, EXAMPLES[stage])
        assert ml.open_study(study.path).run(child.id).wait(120) == "completed", child.error
        headless = run_notebook(stage, study, EXAMPLES[stage])
        assert first.table_hashes == child.table_hashes == headless.table_hashes
        assert (headless.path / "notebook.ipynb").stat().st_size <= 2_000_000
        assert (headless.path / "report.html").exists()

    def test_no_path_run_id_or_identifier_where_it_must_not_be(self, stage: str, finished: Any) -> None:
        study, run = finished[stage]
        run.report()
        with_identifiers = {"cohort", "predictions", "features", "features_long", "lesions", "failures", "pet",
                            "perturbed", "pictures", "facts", "patient_facts", "text_features", "notes_read"}
        for path in run.path.rglob("*"):
            if path.is_file() and path.stem not in with_identifiers:
                content = path.read_bytes()
                assert b"CASE-00" not in content, path.name
                if path.suffix == ".parquet":
                    assert run.id.encode() not in content and str(study.path).encode() not in content, path.name

    def test_verify_and_replay(self, stage: str, finished: Any) -> None:
        _, run = finished[stage]
        assert [item for item in verify(run) if not item.equal] == []
        again, found = replay(run, sinks=[])
        assert [item for item in found if not item.equal] == [] and len(found) == len(run.tables)
        assert again.id != run.id

    def test_a_changed_input_makes_the_run_stale(self, stage: str, tmp_path: Path) -> None:
        study = make_study(tmp_path / "study")
        run = ml.run(stage, study, EXAMPLES[stage], sinks=[])
        assert run.stale == ()
        table, column = ("images", "unit") if stage == "radiomics" else ("clinical", "size")
        study.update_columns(table, {column: Column(description="corrected")})
        assert run.stale and set(run.stale) <= {table, "run:data", "run:models", "cohort"}

    def test_interrupt_and_cancel_file_end_as_cancelled(
        self, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        study = make_study(tmp_path / "study")

        def interrupt(event: Event) -> None:
            raise KeyboardInterrupt

        with pytest.raises(Cancelled):
            ml.run(stage, study, EXAMPLES[stage], sinks=[interrupt])
        prepared = prepare(stage, study, EXAMPLES[stage])
        prepared.cancel()
        monkeypatch.setenv(RUN_FOLDER, str(prepared.path))
        with pytest.raises(Cancelled):
            ml.run(stage, study, EXAMPLES[stage], sinks=[])
        assert {record.status for record in study.runs} == {"cancelled"}

    def test_death_at_the_commit_publishes_nothing_and_loses_nothing(
        self, stage: str, finished: Any, tmp_path: Path
    ) -> None:
        """The process dies in the instant before the record that makes the run complete."""
        program = textwrap.dedent("""
            import json, os, sys, medomicslab_nb as ml
            from medomicslab_nb import record
            write = record.write_json
            def dying(path, content):
                if content["status"] == "completed" and content["stage"] == sys.argv[1]:
                    os._exit(9)
                write(path, content)
            record.write_json = dying
            ml.run(sys.argv[1], sys.argv[2], json.loads(sys.argv[3]), sinks=[])
        """)
        study = make_study(tmp_path / "study")
        died = subprocess.run(
            [sys.executable, "-c", program, stage, str(study.path), json.dumps(EXAMPLES[stage])], check=False
        )
        assert died.returncode == 9
        (record,) = [record for record in study.runs if record.stage == stage]
        assert record.status == "failed" and record.tables == ()
        assert ml.run(stage, study, EXAMPLES[stage], sinks=[]).table_hashes == finished[stage][1].table_hashes
