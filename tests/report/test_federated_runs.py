"""The report of real runs of the federated stage: every algorithm, every table known, every figure with data."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.record import RunRecord
from medomicslab_nb.report.evidence import SHOWN, evidence
from medomicslab_nb.report.federated_tables import of_report
from medomicslab_nb.report.figures import figures_of
from medomicslab_nb.report.html import write_report
from medomicslab_nb.study import Study, create_study
from medomicslab_nb.tables import Column

N = 360
JUDGED = {"federated_performance", "travel", "federated_importance", "left"}
SETTINGS: dict[str, dict[str, object]] = {
    "logistic": {"outcome": "response"},
    "linear": {"outcome": "volume", "algorithm": "linear"},
    "cox": {"outcome": "os", "algorithm": "cox", "external": False},
    "kaplan-meier": {"outcome": "os", "algorithm": "kaplan-meier"},
    "trees": {"outcome": "response", "algorithm": "trees", "trees": {"rounds": 3}, "compare": False},
    "network": {"outcome": "response", "algorithm": "network", "network": {"rounds": 3}, "test_sites": ["east"]},
}
FIGURES = {
    "logistic": JUDGED | {"coefficients", "rounds", "availability"},
    "linear": JUDGED | {"coefficients", "availability"}, "cox": JUDGED | {"coefficients", "rounds", "availability"},
    "kaplan-meier": {"curve", "left"},
    "trees": (JUDGED - {"travel"}) | {"rounds", "availability"}, "network": JUDGED | {"rounds", "availability"},
}


COLUMNS = {"hospital": Column(role="centre", type="category"), "response": Column(role="outcome", type="boolean"),
           "volume": Column(role="outcome", unit="mL"), "time": Column(role="time", endpoint="os", unit="days"),
           "event": Column(role="event", endpoint="os", type="boolean")}


@pytest.fixture(scope="module")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Three hospitals; response, volume and survival follow age and marker, and 'south' knows the marker of half."""
    made = create_study(tmp_path_factory.mktemp("hospitals") / "study")
    draw = np.random.default_rng(11)
    frame = pd.DataFrame({"patient": [f"PSEUDO-{i:04d}" for i in range(N)], "hospital": np.repeat(
        ["north", "south", "east"], N // 3), "age": draw.normal(60, 9, N).round(1), "marker": draw.normal(size=N)})
    risk = (frame["age"] - 60) / 9 + frame["marker"]
    death = draw.exponential(900 * np.exp(-risk / 2))
    frame = frame.assign(response=risk + draw.normal(size=N) > 0, volume=(20 + 5 * risk + draw.normal(size=N)).round(2),
                         time=np.minimum(death, 1000).round() + 1, event=death < 1000)
    frame.loc[(frame["hospital"] == "south") & (frame.index % 2 == 0), "marker"] = np.nan
    made.add_table("clinical", frame, columns=COLUMNS)
    return made


@pytest.fixture(scope="module", params=list(SETTINGS))
def ran(request: pytest.FixtureRequest, hospitals: Study) -> tuple[str, RunRecord]:
    settings = {"site_column": "hospital", "holdout": 0.4, **SETTINGS[request.param]}
    return request.param, ml.run("federated", hospitals, settings, sinks=[])


def test_every_table_is_known_and_every_figure_is_there_with_data(ran: tuple[str, RunRecord]) -> None:
    kind, record = ran
    assert set(of_report({name: record.table(name) for name in record.tables})) <= set(SHOWN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = {picture.name: picture for picture in figures_of(record)}
    assert set(drawn) == FIGURES[kind]
    assert all(len(picture.numbers) and picture.figure.data for picture in drawn.values())


def test_words_say_what_was_found(ran: tuple[str, RunRecord]) -> None:
    kind, record = ran
    content = evidence(record)
    if kind == "kaplan-meier":
        assert "are free of os at" in content["summary"]
        assert " days (95 % interval" in content["summary"]
        return
    measure = {"linear": "R²", "cox": "C-index"}.get(kind, "AUC")
    assert f"{measure} of 0." in content["summary"]
    assert "kept out of training" in content["summary"]
    assert ("over 2 sites (" if kind == "network" else "over 3 sites (") in content["summary"]
    assert any(line["events"] for line in content["on_whom"]) == (kind != "linear")
    estimate = record.table("performance").query("model == 'federated' and site == 'all'")["estimate"].iloc[0]
    assert f"of {estimate:.3f} (" in content["summary"]
    assert all(sentence.endswith(".") for sentence in (*content["findings"], *content["unknown"], *content["done"]))
    assert not any(word in " ".join([content["summary"], *content["findings"]]) for word in ("nan", "None", "<NA>"))


def test_the_report_names_no_patient(ran: tuple[str, RunRecord]) -> None:
    page: Path = write_report(ran[1])
    text = page.read_text(encoding="utf-8")
    assert "PSEUDO-" not in text
    assert "What left each site" in text


def test_a_model_without_values_that_few_have_is_not_told_as_that_of_all_patients(hospitals: Study,
                                                                                  tmp_path: Path) -> None:
    frame = hospitals.table("clinical").reset_index()
    few = frame.groupby("hospital").cumcount() < 10  # some 6 of whom train
    scarce = frame["age"].where((frame["hospital"] != "south") | few)
    made = create_study(tmp_path / "study")
    made.add_table("clinical", frame.assign(scarce=scarce), columns=COLUMNS)
    for minimum, lacking in ((1, False), (10, True)):
        record = ml.run("federated", made, {
            "outcome": "response", "site_column": "hospital", "holdout": 0.4, "compare": False, "external": False,
            "explain": False, "policy": {"minimum_count": minimum}}, sinks=[])
        assert any("'scarce' counts as missing at south" in note for note in record.warnings) == lacking
        assert any("but for values that were left out" in one for one in evidence(record)["done"]) == lacking
