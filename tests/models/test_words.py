"""Sentences: each says what its numbers say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.models import words
from medomicslab_nb.models.settings import ModelsSettings
from tests.models.conftest import two_blocks

BINARY = two_blocks("binary").endpoint


def published(estimate=0.7, lower=0.6, upper=0.8, **more) -> dict[str, pd.DataFrame]:
    row = {"metric": "auc", "default": True, "blocks": "clinical + genes", "estimate": estimate, "lower": lower,
           "upper": upper}
    return {"performance": pd.DataFrame([row]), **more}


def test_each_held_out_centre_is_told_apart():
    line = {"metric": "auc", "blocks": "clinical + genes", "learner": "ridge", "n_test": 40, "events_test": 20}
    folds = pd.DataFrame([{**line, "value": 0.9, "centre": "A"}, {**line, "value": 0.7, "centre": "B"},
                          {**line, "value": 0.1, "centre": "C", "events_test": 38},
                          {**line, "value": 0.2, "centre": "A", "learner": "forest"}])
    tables = published(folds=folds)
    tables["performance"]["learner"] = "ridge"
    assert words.findings(tables, BINARY, 0.95)[1] == (
        "Within the centres the AUC was 0.700 in B, 0.900 in A (1 more had too few patients). The estimate is "
        "the mean over centres, weighted by their patients: pairs of patients of two centres are not compared.")
    folds["centre"] = None
    assert len(words.findings(tables, BINARY, 0.95)) == 1


def test_notes_of_folds_that_differ_in_numbers_are_said_once():
    left_out = "Block cnv: {} of 2000 columns hardly vary among the training patients and were left out."
    other = "Block rppa: 2 of 5 columns do not reach an ICC(1,1) of 0.75 in {} perturbed training patients."
    assert words.once([left_out.format(7), other.format(12), "Plain.", left_out.format(13), left_out.format(12),
                       other.format(12), "Plain."]) == [left_out.format("7 to 13"), other.format(12), "Plain."]


def ablation(**values) -> pd.DataFrame:
    line = {"blocks": "clinical + genes", "difference": 0.02, "difference_lower": -0.01, "difference_upper": 0.05,
            "p": 0.1, "p_holm": 0.2, "reference": "clinical", **values}
    nothing = {**line, "blocks": "clinical", "difference": 0.0, "difference_lower": np.nan, "difference_upper": np.nan,
               "p": np.nan, "p_holm": np.nan}
    return pd.DataFrame([nothing, line])


@pytest.mark.parametrize(("numbers", "said"), [
    ((0.7, 0.6, 0.8), "The model predicts better than chance: AUC 0.700 (95% CI 0.600 to 0.800)."),
    ((0.55, 0.45, 0.65),
     "The model cannot be told from chance: AUC 0.550 (95% CI 0.450 to 0.650), which includes 0.5."),
    ((0.3, 0.2, 0.4), "The model predicts worse than chance: AUC 0.300 (95% CI 0.200 to 0.400)."),
    ((0.7, np.nan, np.nan), "There are too few held-out patients for an interval of the AUC."),
])
def test_against_chance(numbers, said):
    assert words.findings(published(*numbers), BINARY, 0.95) == [said]


@pytest.mark.parametrize(("values", "verdict"), [
    ({}, "no evidence that genes adds to clinical."),
    ({"p": 0.001, "p_holm": 0.002, "difference_lower": 0.01}, "genes improved the prediction."),
    ({"p": 0.001, "p_holm": 0.002, "difference": -0.02, "difference_upper": -0.01}, "genes made the prediction worse."),
    ({"p": 0.03, "p_holm": 0.06}, "no evidence that genes adds to clinical."),
])
def test_added_value_is_judged_after_holm(values, verdict):
    said = words.findings(published(ablation=ablation(**values)), BINARY, 0.95)
    assert len(said) == 2 and said[1].startswith("Adding genes to clinical changed the AUC by ")
    assert said[1].endswith(verdict)


def test_a_block_without_weight_changed_nothing():
    said = words.findings(published(ablation=ablation(difference=0.0, difference_lower=0.0, difference_upper=0.0,
                                                      p=1.0, p_holm=1.0)), BINARY, 0.95)
    assert said[1] == "Adding genes to clinical changed nothing: its scores were given no weight in training."


@pytest.mark.parametrize("kind", ["binary", "multiclass", "continuous", "survival", "competing"])
def test_size_of_the_sample_in_words(kind):
    patients = two_blocks(kind)
    said = words.sample(patients, ModelsSettings(outcome="y"), cross_validated=True)
    assert any(text.startswith("A model with 10 candidate parameters needs") for text in said)
    assert any("are uncertain" in text for text in said) == (kind != "continuous")  # 120 patients, but fewer events


@pytest.mark.parametrize(("events", "said"), [(20, "With 20 events"), (95, "With 25 patients without the event")])
def test_the_rarer_class_is_named(events, said):
    patients = two_blocks("binary")
    outcome = np.arange(len(patients.endpoint)) < events
    other = replace(patients, endpoint=replace(patients.endpoint, outcome=outcome))
    sentences = words.sample(other, ModelsSettings(outcome="y"), cross_validated=False)
    assert any(text.startswith(f"{said} the estimates") for text in sentences)


def test_parameters_are_columns_and_categories_less_one():
    patients = two_blocks("binary")
    assert words.parameters(patients) == 8 + 2
    alone = replace(patients, frame=patients.frame[["c"]], blocks={"clinical": ("c",)})
    assert words.parameters(alone) == 2
