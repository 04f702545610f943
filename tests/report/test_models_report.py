"""The report of real runs of the models stage: every kind of endpoint, every table known, every figure with data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report import card
from medomicslab_nb.report.evidence import SHOWN, evidence
from medomicslab_nb.report.figures import figures_of
from medomicslab_nb.report.html import write_report
from medomicslab_nb.report.model_words import kind_of
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column
from tests.models.conftest import COLUMNS, clinical, genes

N = 90
QUICK = {"learner": "ridge", "compare": False, "folds": 2, "repeats": 1, "inner_folds": 2, "jobs": 1}
SETTINGS: dict[str, dict[str, object]] = {
    "binary": {"outcome": "response", "clinical_score": ["age"], "subgroups": ["stage"]},
    "multiclass": {"outcome": "stage", "kind": "multiclass"},
    "continuous": {"outcome": "volume", "kind": "continuous", "fusion": "early"},
    "survival": {"outcome": "os", "groups": 3, "fusion": "penalised", "validation": "leave one centre out"},
    "competing": {"outcome": "cs", "positive": "tumour", "predictors": {"clinical": ["age", "stage"]}},
    "repeated": {"outcome": "response", "learner": "lasso", "permutations": 3, "subsamples": 3, "centre": "none",
                 "blocks": {"clinical": ["clinical"]}},
}
FIGURES = {
    "binary": {"performance", "ablation", "roc", "calibration", "decision", "subgroups", "shap", "importance_blocks",
               "partial_dependence"},
    "multiclass": {"performance", "ablation", "calibration", "subgroups", "shap", "importance_blocks",
                   "partial_dependence"},
    "continuous": {"performance", "ablation", "subgroups", "shap", "importance_blocks", "partial_dependence"},
    "survival": {"performance", "ablation", "calibration", "decision", "kaplan_meier", "subgroups", "shap",
                 "shap_survival", "importance_blocks", "partial_dependence"},
    "competing": {"performance", "ablation", "calibration", "decision", "cumulative_incidence", "subgroups", "shap",
                  "shap_survival", "importance_blocks", "partial_dependence"},
    "repeated": {"performance", "roc", "calibration", "decision", "shap", "partial_dependence", "nomogram"},
}
_NEVER = {"predictions"}


@pytest.fixture(scope="module")
def real_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Clinical columns with every kind of endpoint, three hospitals, and genes of most patients."""
    made = create_study(tmp_path_factory.mktemp("models") / "study")
    frame, draw = clinical(N), np.random.default_rng(3)
    frame["patient"] = frame["patient"].map("PSEUDO-{}".format)
    frame["hospital"] = ["north", "south", "west"] * (N // 3)
    frame["ended"] = np.where(frame["dead"], np.where(draw.random(N) < 0.7, "tumour", "other"), "censored")
    frame["until"] = frame["days"]
    frame["volume"] = frame["age"] / 2 + draw.normal(size=N)
    made.add_table("clinical", frame, columns=COLUMNS | {
        "hospital": Column(role="centre", type="category"), "volume": Column(role="outcome", unit="mL"),
        "ended": Column(role="cause", type="category", endpoint="cs"),
        "until": Column(role="time", unit="days", endpoint="cs")})
    wide = genes(N, 6).iloc[:80]
    made.add_table("genes", wide.set_axis([f"PSEUDO-{name}" for name in wide.index]).rename_axis("patient"),
                   block="genes", default_column=Column(), transposed=True)
    return made


@pytest.fixture(scope="module")
def records(real_study: Study) -> dict[str, RunRecord]:
    return {kind: ml.run("models", real_study, QUICK | settings, sinks=[]) for kind, settings in SETTINGS.items()}


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_figure_is_there_with_data_and_numbers(records: dict[str, RunRecord], kind: str) -> None:
    pictures = figures_of(records[kind])
    assert {picture.name.split()[0] for picture in pictures} >= FIGURES[kind]
    assert {picture.name.split()[0] for picture in pictures} - {"nomogram"} <= FIGURES[kind]
    for picture in pictures:
        assert len(picture.numbers), picture.name
        drawn = [np.asarray(trace.x).size for trace in picture.figure.data]
        assert drawn, picture.name
        assert all(drawn), picture.name
        assert len(picture.numbers) <= 400, picture.name


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_published_table_is_shown_or_drawn(records: dict[str, RunRecord], kind: str) -> None:
    drawn = {picture.name.split()[0] for picture in figures_of(records[kind])}
    for name in records[kind].tables:
        # Beside competing events, 1 - Kaplan-Meier would overstate the risk.
        replaced = name == "kaplan_meier" and kind == "competing"
        assert name in _NEVER or name in SHOWN or name in drawn or replaced


@pytest.mark.parametrize("kind", SETTINGS)
def test_the_report_is_small_and_names_no_patient(records: dict[str, RunRecord], kind: str) -> None:
    text = write_report(records[kind]).read_text(encoding="utf-8")
    assert len(text) < 8_000_000
    assert "PSEUDO-" not in text
    assert "Model card" in text


@pytest.mark.parametrize(("kind", "expected"), [
    ("binary", ["Predicting response in 90 patients (", " events), ridge reached an AUC of 0.", " (95 % interval 0.",
                "(nested cross-validation, 2 folds)."]),
    ("multiclass", ["in the smallest class), ridge reached an AUC (one class against the rest) of "]),
    ("continuous", ["Predicting volume in 90 patients, ridge reached an R² of "]),
    ("survival", ["a C-index of ", "in patients of centres that the model had not seen (every centre held out in "
                                   "turn)."]),
    ("repeated", ["lasso reached an AUC of "]),
])
def test_summary_says_endpoint_learner_and_scheme(records: dict[str, RunRecord], kind: str,
                                                  expected: list[str]) -> None:
    summary = evidence(records[kind])["summary"]
    assert [part for part in expected if part not in summary] == []


def test_findings_stand_apart_from_cautions(records: dict[str, RunRecord]) -> None:
    for kind, record in records.items():
        content = evidence(record)
        assert set(content["warnings"]).isdisjoint(content["findings"])
        assert set(record.warnings) <= {*content["warnings"], *content["findings"]}
        assert content["findings"][0].startswith(("The model ", "There are too few")), kind
        assert not any(text.startswith(("The model predicts", "Adding")) for text in content["warnings"])
    binary, repeated = evidence(records["binary"]), evidence(records["repeated"])
    assert any(text.startswith("Adding genes to clinical ") for text in binary["findings"])
    assert any("permuted 3 times" in text for text in repeated["findings"])
    assert any(text.startswith("The .632+ estimate of the AUC is ") for text in repeated["findings"])


def test_what_was_done_names_scheme_fusion_preparation_and_model(records: dict[str, RunRecord]) -> None:
    done = {kind: " ".join(evidence(record)["done"]) for kind, record in records.items()}
    assert "Nested cross-validation, 2 folds, grouped by patient" in done["binary"]
    assert "Every centre was held out in turn" in done["survival"]
    assert "fused late" in done["binary"]
    assert "fused early" in done["continuous"]
    assert "a penalty for each block" in done["survival"]
    assert "fused" not in done["repeated"]
    assert "missing numbers by the median, ComBat between centres" in done["binary"]
    assert "ComBat" not in done["repeated"]
    assert "Named before the run: lasso. Fitted on all patients it became: penalty " in done["repeated"]
    assert "clinical score: a plain regression on age." in done["binary"]


def test_measures_have_names_and_intervals(records: dict[str, RunRecord]) -> None:
    names = {kind: [row["metric"] for row in evidence(record)["measures"]] for kind, record in records.items()}
    assert names["binary"] == ["AUC", "area under the precision-recall curve", "Brier score", "AUC",
                               "calibration slope (ideal 1)", "calibration intercept (ideal 0)"]
    assert names["continuous"][:3] == ["R²", "root mean squared error", "mean absolute error"]
    assert "C-index" in names["survival"]
    assert all("_" not in name for kind in names for name in names[kind])
    assert evidence(records["continuous"])["headline"][0]["events"] == ""


def test_hidden_cells_stay_hidden_in_the_forest_plot(records: dict[str, RunRecord]) -> None:
    from medomicslab_nb.report.model_figures import subgroups

    table = records["binary"].table("subgroups").copy()
    table.loc[table.index[0], ["n", "events", "estimate", "lower", "upper", "note"]] = [
        pd.NA, pd.NA, np.nan, np.nan, np.nan, "hidden: fewer than 5 patients"]
    texts = [note.text for note in subgroups(table, table.iloc[:0]).layout.annotations]
    assert texts[0] == "hidden, n hidden"
    assert texts[1].endswith("events")


def test_85_folds_of_a_centre_that_is_hidden_are_not_shown(records: dict[str, RunRecord]) -> None:
    from medomicslab_nb.report.evidence import _without_small_centres

    folds, groups = records["survival"].table("folds"), records["survival"].table("subgroups")
    shown = set(_without_small_centres(folds, groups)["centre"])
    assert shown == set(groups.loc[~groups["note"].str.startswith("hidden"), "group"])
    assert shown < {"north", "south", "west"}  # nearly everybody died in two of them
    hidden = groups.assign(note=np.where(groups["group"] == "west", "", "hidden: fewer than 5 patients"))
    assert set(_without_small_centres(folds, hidden)["centre"]) == {"west"}
    assert _without_small_centres(folds, None).empty


def test_kind_follows_the_measure(records: dict[str, RunRecord]) -> None:
    kinds = {kind: kind_of({"performance": record.table("performance")}) for kind, record in records.items()}
    assert kinds == {"binary": "binary", "multiclass": "multiclass", "continuous": "continuous",
                     "survival": "survival", "competing": "survival", "repeated": "binary"}


def test_a_damaged_model_file_leaves_the_card_out(records: dict[str, RunRecord], tmp_path: Path,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "damaged.skops").write_bytes(b"no model")
    monkeypatch.setattr(card, "_MODEL", str(tmp_path / "damaged.skops"))
    assert card.card_of(records["binary"], frozenset()) == []
