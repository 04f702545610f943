"""The leakage lint over a study: tables, dictionary, settings, folds and runs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import find_endpoint
from medomicslab_nb.evaluation.leak_basis import association, target_numbers
from medomicslab_nb.evaluation.sealed import seal
from medomicslab_nb.models import lint
from medomicslab_nb.models.lint import MANY_RUNS, lint_study
from medomicslab_nb.models.settings import ModelsSettings
from medomicslab_nb.study import create_study
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, PATIENT, clinical, genes


def settings_of(**values) -> ModelsSettings:
    return ModelsSettings(**{"outcome": "os", **values})


def alarms(findings) -> set[str]:
    return {finding.kind for finding in findings if finding.level == "alarm"}


def made_study(tmp_path, extra: dict, columns: dict, **options):
    made = create_study(tmp_path / "study", **options)
    frame = clinical(150)
    made.add_table("clinical", frame.assign(**{name: make(frame) for name, make in extra.items()}),
                   columns={**COLUMNS, **columns})
    return made


@pytest.mark.parametrize("outcome", ["os", "response"])
def test_a_clean_study_raises_no_alarm(study, outcome):
    assert not alarms(lint_study(study, settings_of(outcome=outcome)))


def test_a_column_that_follows_from_the_outcome_is_named(tmp_path):
    made = made_study(tmp_path, {"months": lambda frame: np.floor(frame["days"] / 30.4)}, {"months": Column()})
    (first, *_) = lint_study(made, settings_of())
    assert (first.kind, first.level, first.where) == ("outcome_in_disguise", "alarm", "'months'")


def test_bad_input_92_a_table_from_after_the_index_date_is_named(tmp_path):
    made = made_study(tmp_path, {"diagnosed": lambda frame: "2020-01-01"},
                      {"diagnosed": Column(role="index_date", type="date")})
    labs = pd.DataFrame({"patient": clinical(150)["patient"], "crp": 1.0, "taken": "2020-02-01"})
    made.add_table("labs", labs, date_column="taken", columns={
        "patient": PATIENT, "crp": Column(), "taken": Column(role="date", type="date")})
    made.add_table("follow_up", labs.drop(columns="crp"), date_column="taken", columns={
        "patient": PATIENT, "taken": Column(role="date", type="date")})
    (found,) = lint_study(made, settings_of())
    assert (found.kind, found.level, found.where) == ("time_after_event", "alarm", "table labs, column taken")
    assert not alarms(lint_study(made, settings_of(blocks={"clinical": ("clinical",)})))


def test_columns_that_the_settings_choose_by_the_outcome_are_named(tmp_path):
    made = made_study(tmp_path, {}, {})
    wide = genes(150, 300)
    made.add_table("genes", wide, block="genes", default_column=Column(), transposed=True)
    endpoint = find_endpoint(made, "response")
    strength = association(wide.reindex(endpoint.patients).to_numpy(), target_numbers(endpoint))
    best = tuple(wide.columns[np.argsort(-strength)[:6]])
    for columns, expected in ((best, {"fitted_outside"}), (tuple(wide.columns[:6]), set())):
        settings = settings_of(outcome="response", blocks={"genes": ("genes",)}, predictors={"genes": columns})
        assert alarms(lint_study(made, settings)) == expected


def test_a_cut_of_a_column_that_is_no_predictor_is_named(tmp_path):
    def crp(frame):
        return np.random.default_rng(5).normal(size=len(frame)) + 1.5 * frame["response"]

    def high(frame):
        values, event = crp(frame), frame["response"] == 1
        best = max(np.sort(values)[15:-15],
                   key=lambda cut: abs((values > cut)[event].mean() - (values > cut)[~event].mean()))
        return (values > best).astype(int)

    made = made_study(tmp_path, {"crp": crp, "high": high}, {"crp": Column(role="ignore"), "high": Column()})
    found = [finding for finding in lint_study(made, settings_of(outcome="response")) if "'crp'" in finding.what]
    assert [finding.kind for finding in found] == ["optimal_cut_point"]


def test_the_centre_of_the_dictionary_is_looked_at(tmp_path):
    rng = np.random.default_rng(2)
    place = rng.integers(0, 3, 240)
    frame = pd.DataFrame({"patient": [f"{row:04d}" for row in range(240)], "hospital": place.astype(str),
                          "response": (rng.random(240) < np.array([0.15, 0.5, 0.85])[place]).astype(int)})
    values = pd.DataFrame(rng.normal(size=(240, 12)) + rng.normal(size=(3, 12))[place]).add_prefix("x")
    made = create_study(tmp_path / "study")
    made.add_table("clinical", pd.concat([frame, values], axis=1), columns={
        "patient": PATIENT, "hospital": Column(role="centre", type="category"),
        "response": Column(role="outcome", type="boolean"), **{name: Column() for name in values}})
    assert alarms(lint_study(made, settings_of(outcome="response"))) == {"centre_as_proxy"}


def test_patients_of_the_sealed_test_are_not_looked_at(study, monkeypatch):
    sealed = seal(study, find_endpoint(study, "os"), share=0.3, seed=0)
    seen = []
    monkeypatch.setattr(lint, "lint_data", lambda frame, endpoint, **more: seen.append(frame.index) or [])
    lint_study(study, settings_of())
    assert len(seen[0]) == 90 - len(sealed.patients)
    assert not seen[0].intersection(sealed.patients).size


def test_many_runs_of_one_outcome_get_a_notice(study):
    class Tried:
        """The study after runs with other settings."""

        def __init__(self, outcome):
            self.runs = [SimpleNamespace(stage="models", status="completed", digest=str(number),
                                         settings={"outcome": outcome}) for number in range(MANY_RUNS)]

        def __getattr__(self, name):
            return getattr(study, name)

    (found,) = [finding for finding in lint_study(Tried("os"), settings_of()) if finding.kind == "many_runs"]
    assert (found.level, found.value) == ("notice", float(MANY_RUNS))
    assert not any(finding.kind == "many_runs" for finding in lint_study(Tried("response"), settings_of()))


def test_what_cannot_be_modelled_is_an_error(study):
    with pytest.raises(DataError, match="no endpoint"):
        lint_study(study, settings_of(outcome="relapse"))
