"""The card says what the run found, asks for what no program knows, and names nobody."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.models.model_card import OPEN, About, CardFacts, card_sections, model_card
from tests.models.handed_over import KINDS, fitted

HEADINGS = ["Model details", "Intended use", "Outcome", "Training and evaluation data", "Predictors",
            "Method and validation", "Performance", "Beside plainer models and fewer blocks", "Subgroups and fairness",
            "Ethical considerations", "Caveats and recommendations", "How to predict"]


def facts(**changes) -> CardFacts:
    performance = pd.DataFrame([
        {"blocks": blocks, "learner": "x", "metric": metric, "aggregation": "fold mean", "estimate": estimate,
         "lower": estimate - 0.1, "upper": estimate + 0.1, "n": 120, "events": 50, "interval": "corrected t"}
        for blocks, metric, estimate in (("clinical", "auc", 0.7), ("clinical + genes", "brier", 0.2),
                                         ("clinical + genes", "auc", 0.75), ("clinical + genes", "slope|x", np.nan))])
    subgroups = pd.DataFrame({"blocks": "clinical + genes", "subgroup": "centre", "group": ["HGJ", "CHUS", "tiny"],
                              "n": pd.array([60, 55, pd.NA], dtype="Int64"),
                              "events": pd.array([30, 18, pd.NA], dtype="Int64"), "metric": "auc",
                              "estimate": [0.8, 0.7, np.nan], "lower": [0.7, 0.6, np.nan], "upper": [0.9, 0.8, np.nan],
                              "note": ["", "", "fewer than 5 patients"]})
    values = {"run": "20260101T000000Z-models-abc", "when": "2026-01-01T00:00:00+00:00", "digest": "f" * 64,
              "settings": {"outcome": "relapse", "folds": 5, "repeats": 2, "inner_folds": 5, "seed": 0,
                           "confidence": 0.95, "validation": "cross-validation", "fusion": "late", "cohort": ""},
              "metrics": {"metric": "auc", "blocks": "clinical + genes", "default": "x", "n": 120, "events": 50},
              "warnings": ("There are 7.1 events per predictor; <b>models</b> change.",),
              "tables": {"performance": performance, "subgroups": subgroups}, "dates": ("2010-01-04", "2019-12-30")}
    return CardFacts(**{**values, **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_every_heading_is_there_in_order_for_every_kind(kind):
    file, _ = fitted(kind)
    text = model_card(file, facts())
    assert re.findall(r"^## (.+)$", text, flags=re.MULTILINE) == HEADINGS
    assert "nan" not in text.lower()
    assert "None" not in text
    words = {"binary": "class `yes`", "multiclass": "low, middle, high", "continuous": "in ml",
             "survival": f"its risk by {file.endpoint.horizon or 0:.3f} days"}
    assert words[kind] in text


def test_numbers_of_the_run_stand_in_it_with_their_intervals():
    text = model_card(fitted("binary")[0], facts())
    for expected in ("120 patients, 50 with the event", "Index dates: 2010-01-04 to 2019-12-30.", "Centres: 3.",
                     "| AUC | 0.750 | 0.650 to 0.850 | 120 | 50 | fold mean | corrected t |",
                     "| clinical | x | 0.700 | 0.600 to 0.800 | 120 |", "| centre | HGJ | 60 | 30 | 0.800 |",
                     "| centre | tiny | hidden | hidden | - | - | fewer than 5 patients |", "5 outer folds, 2 repeats",
                     "| clinical | 3 |", "size [mm]", "medomicslab predict STUDY 20260101T000000Z-models-abc",
                     "The model was not tested on patients of another time or place.", "numpy " + np.__version__):
        assert expected in text, expected
    own = text[text.index("## Performance"):]
    assert own.index("| AUC |") < own.index("| Brier score |")


def test_texts_cannot_break_out_of_their_place():
    text = model_card(fitted("binary")[0], facts(), About(title="A\n# B <script>", licence="a | b"))
    assert "<script>" not in text
    assert "<b>" not in text
    assert text.startswith("# A # B &lt;script&gt;\n")
    assert "slope\\|x" in text


def test_what_the_authors_have_to_say_is_asked_for_until_it_is_said():
    file, _ = fitted("binary")
    assert model_card(file, facts()).count(OPEN) == 8
    about = About("Title", "A. Author", "a@b.example", "CC-BY-4.0", "Research", "Decisions", "Two hospitals", "Board 1",
                  "At diagnosis")
    text = model_card(file, facts(), about)
    assert OPEN not in text
    assert "Licence: CC-BY-4.0" in text
    assert "no medical device" in text


def test_no_identifier_and_no_value_of_a_single_patient():
    file, frame = fitted("binary")
    named = facts(warnings=(f"Patient {frame.index[0]} is odd.",))
    text = model_card(file, named, identifiers=frame.index)
    assert not [patient for patient in frame.index if patient in text]
    assert "Patient [redacted] is odd." in text
    extreme = f"{frame['age'].max():.4g}"
    assert extreme not in text


def test_a_run_without_tables_says_that_nothing_was_evaluated():
    text = model_card(fitted("continuous")[0], facts(tables={}, dates=None, metrics={}, warnings=()))
    for expected in ("No performance was recorded.", "No other model was evaluated.", "was not evaluated",
                     "Index dates: not recorded."):
        assert expected in text


def test_tripod_items_beside_the_headings():
    sections = card_sections(fitted("binary")[0], facts())
    items = {item.strip() for section in sections for item in section.tripod.split(",")}
    for number in range(4, 28):
        # 2 abstract and 3 background are the paper's; 24 updating and 25 interpretation partly so.
        if number != 24:
            assert any(re.match(rf"{number}[a-g]?$", item) for item in items), number
