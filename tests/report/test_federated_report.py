"""The report of a federated run: what it says first, what came out, what left each site, and what is not known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.record import RunRecord
from medomicslab_nb.report import federated_figures, federated_words
from medomicslab_nb.report.evidence import SHOWN, evidence
from medomicslab_nb.report.federated_tables import of_report
from medomicslab_nb.report.figures import figures_of, pictures
from medomicslab_nb.report.html import write_report
from medomicslab_nb.report.wording import data_size
from medomicslab_nb.study import Study
from tests.report.samples import FEDERATED_METRICS, HOSTILE, IDS, curve_table, federated_tables, finished_run

SETTINGS = {"outcome": "disease", "site_column": "hospital", "holdout": 0.2}


@pytest.fixture
def record(study: Study) -> RunRecord:
    return finished_run(study, "federated", federated_tables(), SETTINGS, metrics=FEDERATED_METRICS)


def without(tables: dict[str, pd.DataFrame], *models: str) -> dict[str, pd.DataFrame]:
    """The tables as of a run that did not fit these models, by how their names begin."""
    table = tables["performance"]
    return {**tables, "performance": table[~table["model"].str.startswith(models)]}


def test_the_first_sentence_has_the_interval_and_what_to_compare_with(record: RunRecord) -> None:
    assert evidence(record)["summary"] == (
        "Predicting disease over 3 sites (600 training patients with 230 events), the federated logistic regression "
        "reached an AUC of 0.860 (95 % interval 0.820 to 0.900) in 120 patients kept out of training; on the same "
        "patients models of one site alone 0.710 to 0.840, the model of all patients together 0.860.")


def test_the_first_sentence_promises_nothing_that_was_not_computed() -> None:
    tables = of_report(without(federated_tables(), "pooled", "alone"))
    assert federated_words.summary(SETTINGS, tables, FEDERATED_METRICS).endswith("kept out of training.")
    table = federated_tables()["performance"]
    for nowhere in (table.iloc[:0], table.assign(estimate=np.nan, lower=np.nan, upper=np.nan)):
        judged = of_report({**federated_tables(), "performance": nowhere})
        assert "it was judged nowhere" in federated_words.summary(SETTINGS, judged, FEDERATED_METRICS)
        assert federated_words.findings(judged) == []
        assert next(picture.name for picture in pictures(judged)) == "coefficients"
    unsure = federated_tables()
    unsure["performance"] = unsure["performance"].assign(lower=np.nan, upper=np.nan)
    assert "(no interval)" in federated_words.summary(SETTINGS, of_report(unsure), FEDERATED_METRICS)
    assert "who also made it, which flatters it" in federated_words.summary(
        {**SETTINGS, "holdout": 0.0}, of_report(unsure), FEDERATED_METRICS)


def test_findings_name_the_site_where_its_own_model_is_as_good(record: RunRecord) -> None:
    pooled, home, away, external, calibration = evidence(record)["findings"]
    assert pooled == "Between the federated model and the model of all patients together the AUC differs by less " \
                     "than 0.0001, within what the bins of scores leave open."
    assert "no worse than the federated one at east (0.740 against 0.700)" in home
    assert "not tested" in home
    assert away.endswith("reached 0.600 to 0.820; the lowest is the model of north at east.")
    assert "0.800 at north (0.740 to 0.860), 0.750 at south" in external
    assert calibration == "The federated model's calibration slope is 0.900 over the sites (ideal 1)."


@pytest.mark.parametrize(("pooled", "open_by_bins", "said"), [
    (0.86, 0.0, "less than 0.0001."), (0.87, 0.0, "0.0100."), (0.87, 0.004, "0.0100."),
    (0.87, 0.006, "0.0100, within what the bins of scores leave open.")])
def test_a_difference_from_all_patients_together_is_beside_what_bins_leave_open(
        pooled: float, open_by_bins: float, said: str) -> None:
    table = federated_tables()["performance"]
    estimate = table["estimate"].mask(table["model"] == "pooled", pooled)
    table = table.assign(estimate=estimate, least=estimate - open_by_bins, most=estimate + open_by_bins)
    first = federated_words.findings(of_report({"performance": table}))[0]
    assert first.endswith(f"the AUC differs by {said}")


def test_what_is_not_known_depends_on_what_was_done(record: RunRecord) -> None:
    said = " ".join(evidence(record)["unknown"])
    assert "better than chance at east: its interval includes 0.500" in said
    assert "over 80 patients or more, and numbers of patients in bins, without differential privacy" in said
    assert "alone" not in said.partition("Whether a column")[0].replace("left out", "")
    less = of_report(without(federated_tables(), "pooled", "alone", "without"))
    less["federated_performance"].loc[less["federated_performance"]["site"] == "south", "estimate"] = np.nan
    said = " ".join(federated_words.unknown(SETTINGS, less, FEDERATED_METRICS))
    for part in ("What a model of all patients together would give", "How far each site would come alone",
                 "at another hospital: it was judged at sites that trained it", "does at south: too few patients"):
        assert part in said
    private = " ".join(federated_words.unknown({"privacy": {"delta": 1e-5}}, less, {"epsilon": 3.456}))
    assert "epsilon 3.46 at delta 1e-05" in private
    assert "without differential privacy" not in private
    each = " ".join(federated_words.unknown({}, less, {"epsilon": {"north": 1.0, "south": 2.5}}))
    assert "epsilon 2.50" in each


def test_nothing_is_unknown_of_a_run_without_a_result(study: Study) -> None:
    failed = finished_run(study, "federated", {}, SETTINGS, status="failed", error="the site north did not answer")
    content = evidence(failed)
    assert (content["unknown"], content["findings"]) == ([], [])
    assert "north did not answer" in write_report(failed).read_text(encoding="utf-8")


def test_what_left_each_site_is_added_up_by_kind() -> None:
    left = of_report(federated_tables())["left"]
    east = left[left["site"] == "east"].set_index("step")
    assert east.loc["logistic", ["times", "fewest_patients", "bytes"]].tolist() == [3, 80, 2400]
    assert east.loc["logistic", "words"] == "sums for Newton step 1"
    assert left["bytes"].sum() == federated_tables()["released"]["bytes"].sum()
    assert left["site"].is_monotonic_increasing


def test_every_published_table_is_shown_and_every_figure_has_its_numbers(record: RunRecord) -> None:
    assert set(of_report(federated_tables())) <= set(SHOWN)
    assert {*of_report({"curve": curve_table()})} <= set(SHOWN)
    names = [table["name"] for table in evidence(record)["tables"]]
    assert names[:3] == ["sites", "compared", "left"]
    assert "performance" not in names
    drawn = figures_of(record)
    assert [picture.name for picture in drawn] == [
        "federated_performance", "travel", "coefficients", "federated_importance", "rounds", "availability", "left"]
    assert all(len(picture.numbers) for picture in drawn)
    assert evidence(record)["on_whom"][0] == {"who": "north", "patients": "300 training and 60 judging",
                                              "events": "150 training and 30 judging"}
    assert evidence(record)["headline"] == []


def test_forest_has_a_line_for_all_and_for_what_concerns_a_site() -> None:
    drawn = federated_figures.performance(of_report(federated_tables())["compared"])
    labels = list(drawn.layout.yaxis.ticktext)
    assert labels[:5] == ["all sites · federated", "all sites · all patients together", "all sites · north alone",
                          "all sites · south alone", "all sites · east alone"]
    assert labels[-4:] == ["east · federated", "east · all patients together", "east · alone",
                           "east · model of the others"]
    assert [trace.marker.symbol for trace in drawn.data].count("diamond") == 4


def test_models_of_one_site_are_crossed_with_where_they_are_judged() -> None:
    drawn = federated_figures.travel(federated_tables()["performance"])
    assert list(drawn.data[0].y) == ["north", "south", "east", "federated"]
    assert list(drawn.data[0].z[0]) == [0.87, 0.75, 0.6]
    assert federated_figures.travel(without(federated_tables(), "alone")["performance"]) is None


def test_coefficients_are_drawn_per_standard_deviation_and_said_per_unit() -> None:
    drawn = federated_figures.coefficients(federated_tables()["coefficients"])
    first = drawn.data[0]
    assert first.x == (0.9,)
    assert first.error_x.array[0] == pytest.approx(0.04 * 9)
    assert "ratio 1.105 (1.062 to 1.150) per unit" in [note.text for note in drawn.layout.annotations]
    linear = federated_tables()["coefficients"].assign(ratio=np.nan)
    assert "0.100 (0.060 to 0.140) per unit" in [
        note.text for note in federated_figures.coefficients(linear).layout.annotations]


def test_shares_known_are_of_each_sites_patients_and_absent_when_all_is_known() -> None:
    tables = federated_tables()
    drawn = federated_figures.availability(tables["availability"], tables["sites"])
    assert list(drawn.data[0].y) == ["chol"]
    assert [round(value) for value in drawn.data[0].z[0]] == [93, 100, 0]
    full = tables["availability"].assign(known=300)
    assert federated_figures.availability(full, tables["sites"]) is None


def test_loss_is_drawn_where_rounds_have_one() -> None:
    tables = federated_tables()
    other = pd.DataFrame({"round": [7, 8, 9, 10], "step": ["logistic", "logistic", "evaluate", "evaluate"],
                          "label": "Newton step 1", "sites": [1, 1, 3, 3], "loss": [20.0, 19.0, 90.0, 80.0]})
    drawn = federated_figures.rounds(pd.concat([tables["rounds"], other]))
    assert list(drawn.data[0].x) == [3, 4, 5]
    assert federated_figures.rounds(tables["rounds"].assign(loss=np.nan)) is None


def test_kaplan_meier_begins_at_one_and_is_said_in_words(study: Study) -> None:
    tables = {name: table for name, table in federated_tables().items() if name in ("sites", "rounds", "released")}
    record = finished_run(study, "federated", {**tables, "curve": curve_table()},
                          {"outcome": "dmfs", "algorithm": "kaplan-meier", "site_column": "hospital"},
                          metrics=FEDERATED_METRICS)
    content = evidence(record)
    assert content["summary"] == (
        "Of 3 sites (600 patients with 230 events), 60.0 % are free of dmfs at 1800 days (95 % interval 57.0 to "
        "63.0 %); at the sites 50.0 to 70.0 % where each is last known.")
    assert any("no patient's time left a site" in one for one in content["done"])
    assert not any("penalty" in one or "kept out" in one for one in content["done"])
    drawn = next(picture for picture in figures_of(record) if picture.name == "curve").figure
    curves = [trace for trace in drawn.data if trace.mode == "lines" and trace.name]
    assert [trace.name for trace in curves] == ["all sites", "north", "south"]
    assert all((trace.x[0], trace.y[0]) == (0.0, 1.0) for trace in curves)
    assert drawn.layout.xaxis.title.text == "time (days)"


def test_of_a_curve_the_last_time_is_told_at_which_bins_leave_little_open() -> None:
    curve = curve_table()
    late = curve["time"] > 900
    curve.loc[late & (curve["site"] != "north"), "most"] += 0.2
    said = federated_words.summary({"outcome": "dmfs"}, {"curve": curve}, FEDERATED_METRICS)
    assert "80.0 % are free of dmfs at 900 (95 % interval 77.0 to 83.0 %), after which the bins leave too much open; " \
           "at the sites 70.0 to 75.3 % where each is last known." in said
    beginning = curve.groupby("site").head(1).assign(time=0.0, survival=1.0, least=1.0, most=1.0)
    nothing = pd.concat([beginning, curve.assign(most=1.0, least=0.5)])
    said = federated_words.summary({"outcome": "dmfs"}, {"curve": nothing}, FEDERATED_METRICS)
    assert said.endswith("it is not known how many stay free of dmfs: at no time do the bins tell it to within 10 %.")


def test_of_a_curve_that_ends_at_none_no_interval_is_told() -> None:
    curve = curve_table(("north", "south"))
    curve.loc[curve["time"] == 1800, ["survival", "lower", "upper", "least", "most"]] = [0, np.nan, np.nan, 0, 0]
    said = federated_words.summary({"outcome": "dmfs"}, {"curve": curve}, FEDERATED_METRICS)
    assert "0.0 % are free of dmfs at 1800 (no interval); at the sites 0.0 % where" in said
    caption = next(picture for picture in pictures({"curve": curve}) if picture.name == "curve").caption
    assert "wider by what the bins leave open" in caption


def done(*, warnings: tuple[str, ...] = (), **settings: object) -> str:
    return " ".join(federated_words.done(settings, of_report(federated_tables()), FEDERATED_METRICS, warnings))


@pytest.mark.parametrize("algorithm", ["logistic", "linear", "cox"])
@pytest.mark.parametrize(("note", "lacking"), [
    ("'chol' counts as missing at east: too few patients there have a value.", True),
    ("'grade' counts as missing for patients with its rarest categories at east.", True),
    ("'chol' is left out: no site has values of it that differ, or too few patients have them.", True),
    ("Some values were left out where few patients lacked one (east: chol).", True),
    ("0 in 'chol' counts as missing at every site: it lies apart (zeros: east 100).", False),
    ("'grade' has categories at east that nobody has who trains the model (4): there it counts as missing.", False),
    ("Only 30 events: every number is uncertain.", False)])
def test_a_model_without_some_values_is_not_told_as_that_of_all_patients(algorithm: str, note: str,
                                                                         lacking: bool) -> None:
    said = done(algorithm=algorithm, warnings=(note,))
    assert "the model that all patients together would give" in said
    assert (", but for values that were left out (the warnings say which). No penalty" in said) == lacking


def test_values_that_were_left_out_are_known_from_the_runs_warnings(study: Study) -> None:
    record = finished_run(study, "federated", federated_tables(), SETTINGS, metrics=FEDERATED_METRICS,
                          warnings=["'chol' counts as missing at east: too few patients there have a value."])
    assert any("but for values that were left out" in one for one in evidence(record)["done"])


def test_trees_are_told_as_the_best_of_each_round() -> None:
    said = done(algorithm="trees", trees={"rounds": 3})
    assert "the best was kept and got its leaves from all sites" in said
    assert "put them together" not in said


@pytest.mark.parametrize("strategy", ["fedavg", "fedprox", "fedadam"])
def test_sites_weigh_by_patients_unless_privacy_is_central(strategy: str) -> None:
    patients, alike = "weighted by patients", "every site counting the same"
    for kind, said, unsaid in (("none", patients, alike), ("local", patients, alike), ("central", alike, patients)):
        told = done(algorithm="network", network={"strategy": strategy, "rounds": 2}, privacy={"kind": kind})
        assert said in told
        assert unsaid not in told


def test_an_outcome_that_is_a_number_has_no_events(study: Study) -> None:
    tables = federated_tables()
    tables["performance"]["measure"] = "R2"
    tables["performance"].loc[tables["performance"]["site"] == "south", "estimate"] = np.nan
    record = finished_run(study, "federated", tables, {**SETTINGS, "algorithm": "linear"},
                          metrics={**FEDERATED_METRICS, "measure": "R2"})
    content = evidence(record)
    assert content["on_whom"][0] == {"who": "north", "patients": "300 training and 60 judging", "events": ""}
    assert "event" not in " ".join([content["summary"], *content["done"], *content["unknown"], *content["findings"]])
    assert "events" not in of_report(tables)["compared"]


def test_patients_who_make_and_judge_a_model_are_told_once() -> None:
    tables = federated_tables()
    sites = tables["sites"].assign(testing_patients=[300, 200, 100], testing_events=[150, 60, 20])
    assert federated_words.on_whom({**SETTINGS, "holdout": 0.0}, sites)[0] == {
        "who": "north", "patients": "300", "events": "150"}


def elsewhere() -> dict[str, pd.DataFrame]:
    """The tables of a run in which the site east judges only."""
    tables = federated_tables()
    sites = tables["sites"].assign(trains=[True, True, False], patients=[300, 200, 0], events=[150, 60, 0])
    return {**tables, "sites": sites}


@pytest.mark.parametrize(("settings", "said"), [
    ({}, ""),
    ({"holdout": 0.2}, "Judged by about 20 % of each site's patients, drawn before anything was computed, who took"),
    ({"test": {"split": "test"}, "holdout": 0.2}, "Judged by the patients with split = test, who took"),
    ({"test_sites": ["east"], "holdout": 0.0}, "Judged by all patients at east, who took"),
    ({"test_sites": ["east"], "holdout": 0.2}, "Judged by all patients at east and by about 20 % of each other site's "
                                               "patients, drawn before anything was computed, who took"),
    ({"test_sites": ["east"], "test": {"split": "test"}},
     "Judged by all patients at east and by the patients with split = test at the other sites, who took")])
def test_who_judged_is_said_of_each_site(settings: dict[str, object], said: str) -> None:
    told = [one for one in federated_words.done(settings, {}, {}, ()) if one.startswith("Judged")]
    assert told == ([f"{said} no part in training."] if said else [])


def test_sites_that_only_judge_do_not_count_as_those_who_trained() -> None:
    tables = of_report(elsewhere())
    metrics = {**FEDERATED_METRICS, "patients": 500, "events": 210}
    settings = {**SETTINGS, "test_sites": ["east"]}
    assert "over 2 sites (500 training patients with 210 events)" in federated_words.summary(settings, tables, metrics)
    nowhere = {**tables, "federated_performance": tables["federated_performance"].iloc[:0]}
    assert "fitted over 2 sites (500 training patients" in federated_words.summary(settings, nowhere, metrics)
    assert [line["patients"] for line in federated_words.on_whom(settings, tables["sites"])] == [
        "300 training and 60 judging", "200 training and 40 judging", "20 judging"]


def test_what_was_done_is_said_as_it_was_set(study: Study) -> None:
    network = finished_run(study, "federated", federated_tables(), {
        "outcome": "disease", "sites": {"north": "../north", "south": "../south"}, "algorithm": "network",
        "missing": "wait", "required": ["north"], "test": {"split": "test"}, "harmonisation": True,
        "network": {"strategy": "fedprox", "rounds": 7}}, metrics=FEDERATED_METRICS)
    said = " ".join(evidence(network)["done"])
    for part in ("each a study folder", "would have waited", "for 7 rounds",
                 "FedProx", "does not equal it", "ComBat", "with split = test", "14.8 kB in 18 answers"):
        assert part in said
    logistic = " ".join(evidence(finished_run(study, "federated", federated_tables(), SETTINGS,
                                              metrics=FEDERATED_METRICS))["done"])
    assert "the model that all patients together would give. Ridge penalty: 1." in logistic
    assert "20 % of each site's patients" in logistic


@pytest.mark.parametrize(("size", "said"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (999_949, "999.9 kB"),
                                            (999_951, "1.0 MB"), (5e12, "5000.0 GB")])
def test_bytes_are_said_in_decimal_units(size: float, said: str) -> None:
    assert data_size(size) == said


def test_88_names_of_sites_and_columns_are_inert(study: Study) -> None:
    hostile = federated_tables(HOSTILE, (HOSTILE, "south", "east"))
    for picture in pictures(of_report(hostile), HOSTILE, HOSTILE):
        assert "<a" not in picture.figure.to_json()
        assert "<img" not in picture.figure.to_json()
    page = write_report(finished_run(study, "federated", hostile, SETTINGS, metrics=FEDERATED_METRICS))
    text = page.read_text(encoding="utf-8")
    assert "&lt;img src=x" in text
    assert text.count("</script>") == text.count("<script")
    assert "What is not known" in text
    assert not any(patient in text for patient in IDS)
