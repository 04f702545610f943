"""The text stage on generated notes whose truth is known, and on notes with every fault."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import medomicslab_nb as ml
from medomicslab_nb.data.synthetic import draw_cohort
from medomicslab_nb.data.synthetic_study import add_cohort
from medomicslab_nb.errors import DataError, SettingsError
from medomicslab_nb.pseudonyms import new_key
from medomicslab_nb.tables import Column
from medomicslab_nb.text.annotations import IDENTIFIERS, open_annotations
from medomicslab_nb.text.pipeline import read_texts, suggestions
from medomicslab_nb.text.span import EDITED, REJECTED, Span

SAMPLE = "Carcinome canalaire infiltrant du sein gauche, pT2N1M0, grade SBR III. Pas de métastase hépatique."


def study_with(folder: Path, *rows: tuple[str, str, str], index: dict[str, str] | None = None) -> ml.Study:
    """A study of notes given as patient, date, text, and of index dates."""
    study = ml.create_study(folder / "study")
    notes = pd.DataFrame({"patient": [row[0] for row in rows], "note": [f"N-{place}" for place in range(len(rows))],
                          "date": pd.to_datetime([row[1] for row in rows]), "text": [row[2] for row in rows]})
    study.add_table("notes", notes, block="notes", level="visit", date_column="date",
                    columns={"date": Column(role="date", type="date"), "note": Column(role="ignore", type="text"),
                             "text": Column(role="ignore", type="text")})
    if index:
        frame = pd.DataFrame({"patient": list(index), "start": pd.to_datetime(list(index.values()))})
        study.add_table("clinical", frame, columns={"start": Column(role="index_date", type="date")})
    return study


def run(study: ml.Study, **settings: object) -> ml.RunRecord:
    return ml.run("text", study, {"minimum_patients": 1, "jobs": 1, **settings}, sinks=[])


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> ml.Study:
    study = ml.create_study(tmp_path_factory.mktemp("text") / "study")
    add_cohort(study, draw_cohort(60), images=False)
    return study


def test_what_generated_notes_say_is_their_truth(cohort: ml.Study) -> None:
    found, truth = run(cohort).table("text_features").set_index("patient"), cohort.table("clinical")
    for name, column in {"t_category": "t_stage", "n_category": "n_stage", "ecog": "ecog", "p16": "p16",
                         "laterality": "side", "smoking_status": "smoking", "pack_years": "pack_years"}.items():
        both = pd.DataFrame({"found": found[name], "truth": truth[column]})
        if name == "pack_years":
            both["truth"] = both["truth"].round()  # as the notes write them
        same = (both["found"].astype(str) == both["truth"].astype(str)) | (both["found"].isna() & both["truth"].isna())
        differ = both[~same]
        if name in ("ecog", "pack_years"):
            differ = differ[differ["found"].astype(float).ne(differ["truth"].astype(float))]
        never = both["truth"].isna() if name != "pack_years" else truth["smoking"] == "never"
        assert differ[~never.reindex(differ.index)].empty, f"{name}: {len(differ)} differ\n{differ.head()}"


def test_every_fact_stands_where_it_says(cohort: ml.Study) -> None:
    facts = run(cohort).table("facts")
    texts = cohort.table("notes").set_index("note")["text"]
    assert len(facts) > 500
    assert all(texts[row.note][row.start:row.end] == row.text for row in facts.itertuples())


def test_features_are_a_block_of_predictors(cohort: ml.Study) -> None:
    run(cohort)
    made = ml.run("models", cohort, {"outcome": "os", "blocks": {"clinical": ["clinical"], "text": ["text_features"]},
                                     "learner": "ridge", "folds": 2, "repeats": 1, "inner_folds": 2, "explain": False,
                                     "compare": False, "ablation": True, "jobs": 1}, sinks=[])
    assert {"text", "clinical + text"} <= set(made.table("performance")["blocks"])


def test_facts_after_the_index_date_do_not_predict(tmp_path: Path) -> None:
    later = SAMPLE.replace("pT2", "pT4")
    study = study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE), ("P-1001", "2021-01-01", later),
                       index={"P-1001": "2020-06-01"})
    made = run(study)
    assert made.table("text_features").set_index("patient").loc["P-1001", "t_category"] == "T2"
    assert (made.table("facts")["attribute"] == "t_category").sum() == 2, "they stay in the fact table"
    assert "after the index date" in " ".join(made.warnings)
    after = run(study, window=[0, 500])
    assert after.table("text_features").set_index("patient").loc["P-1001", "t_category"] == "T4"


def test_a_window_needs_index_dates(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no index dates"):
        run(study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE)), window=[-30, 0])


def test_negated_is_zero_and_not_mentioned_is_missing(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE),
                       ("P-1002", "2020-01-01", SAMPLE.replace(" Pas de métastase hépatique.", "")))
    made = run(study).table("text_features").set_index("patient")
    assert made.loc["P-1001", "metastasis_liver"] == 0 and pd.isna(made.loc["P-1002", "metastasis_liver"])


def test_annotators_decisions_take_the_place_of_rules_and_make_a_run_stale(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE))
    mine = open_annotations(study, "Anne")
    work = mine.note("N-0", SAMPLE)
    spans = {fact.attribute: Span.of(SAMPLE, fact.attribute, fact.start, fact.end, value=fact.value, rule=fact.rule,
                                     rule_version=str(fact.rule_version)) for fact in suggestions(SAMPLE, "fr")}
    work.put(replace(spans["t_category"], value="T3", status=EDITED), replace(spans["n_category"], status=REJECTED))
    mine.close()
    made = run(study)
    assert made.table("text_features").set_index("patient").loc["P-1001", "t_category"] == "T3"
    assert "n_category" not in made.table("text_features").set_index("patient")
    facts = made.table("facts").set_index("attribute")
    assert facts.loc["t_category", ["status", "annotator"]].tolist() == ["edited", "Anne"]
    assert not made.stale
    mine = open_annotations(study, "Anne")
    mine.note("N-0", SAMPLE).mark_done(True)
    mine.close()
    assert study.run(made.id).stale
    assert run(study, annotations=False).table("text_features").set_index("patient").loc["P-1001", "t_category"] == "T2"


def test_a_run_is_stale_when_somebody_annotates_for_the_first_time(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE))
    made, alone = run(study), run(study, annotations=False)
    for name in ("Anne", "Bo"):
        mine = open_annotations(study, name)
        mine.note("N-0", SAMPLE).put(Span.of(SAMPLE, "t_category", 44, 47, value="T3"))
        mine.close()
        assert study.run(made.id).stale and not study.run(alone.id).stale
        made = run(study)
        assert not made.stale


def test_what_is_kept_and_what_is_read_anew_in_processes_are_the_same_bytes(tmp_path: Path,
                                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medomicslab_nb.text.stage.NOTES", 2)
    rows = [(f"P-{place}", "2020-01-01", SAMPLE.replace("III", "I" * (place % 3 + 1))) for place in range(5)]
    one, two = study_with(tmp_path / "one", *rows), study_with(tmp_path / "two", *rows)
    made = [run(one), run(one), run(two, jobs=2)]
    assert made[0].table_hashes == made[1].table_hashes == made[2].table_hashes


def test_a_policy_of_nothing_is_refused_with_the_nearest(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE))
    with pytest.raises(SettingsError, match="Did you mean 'tumour_size'"):
        run(study, policies={"tumor_size": "min"})
    assert run(study, policies={"emboli": "last"}, terms={"emboli": ["embolie"]}).status == "completed"


def test_the_hour_of_an_index_date_does_not_count(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "2020-06-01", SAMPLE), index={"P-1001": "2020-06-01 15:30"})
    assert "t_category" in run(study, window=[0, 1]).table("text_features")


def test_missing_dates_are_told_apart_from_late_ones(tmp_path: Path) -> None:
    study = study_with(tmp_path, ("P-1001", "", SAMPLE), ("P-1002", "2020-01-01", SAMPLE),
                       ("P-1003", "2020-01-01", SAMPLE),
                       index={"P-1001": "2020-06-01", "P-1002": "2019-01-01"})
    made = run(study)
    said = " ".join(made.warnings)
    for words in ("after the index date and do not predict", "the patient's index date is missing",
                  "without a date and predict all the same"):
        assert words in said
    features = made.table("text_features").set_index("patient")["t_category"]
    assert features.notna().to_dict() == {"P-1001": True, "P-1002": False, "P-1003": False}
    assert "t_category" not in run(study, window=[-9, 0]).table("text_features")


def test_a_setting_for_english_dates_does_not_touch_french_ones(tmp_path: Path) -> None:
    text = "La patiente a été opérée le 03/04/2021 pour une tumeur du sein gauche."
    study = study_with(tmp_path, ("P-1001", "2020-01-01", text))
    read = run(study, day_first="no").table("facts").set_index("attribute")
    assert read.loc["date", "value"] == "2021-04-03"


def test_own_terms_and_a_list_of_them(tmp_path: Path) -> None:
    text = "Embolies vasculaires présentes. Pas d'engainement périnerveux."
    study = study_with(tmp_path, ("P-1001", "2020-01-01", text))
    (study.path / "terms.csv").write_text("attribute,value,text\nperineural,perineural,engainement périnerveux\n",
                                          encoding="utf-8")
    made = run(study, terms={"emboli": ["embolie vasculaire"]}, term_list="terms.csv", language="fr")
    assert made.table("text_features").set_index("patient").loc["P-1001", ["emboli", "perineural"]].tolist() == [1, 0]


@pytest.mark.parametrize(("terms", "found"), [
    ({"emboli": ["LVI"], "invasion": ["lvi"]}, "one wording is a term of 'emboli' and of 'invasion'"),
    ({"emboli": ["++"]}, "no letter or digit"), ({"stage": ["stade"]}, "attribute of the catalogue")])
def test_own_terms_that_would_never_be_found_are_refused(tmp_path: Path, terms: dict[str, list[str]],
                                                        found: str) -> None:
    with pytest.raises(SettingsError, match=found):
        run(study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE)), terms=terms)


def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    made = run(study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE)), attributes=["t_category"])
    assert set(made.table("facts")["attribute"]) == {"t_category"}


def test_unknown_attribute_is_named_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Did you mean 't_category'"):
        run(study_with(tmp_path, ("P-1001", "2020-01-01", SAMPLE)), attributes=["t_categorie"])


def test_ambiguous_english_dates_are_counted_until_the_settings_say(tmp_path: Path) -> None:
    text = "The patient was operated on 03/04/2021 for a tumour of the breast."
    study = study_with(tmp_path, ("P-1001", "2020-01-01", text))
    made = run(study)
    assert "1 dates may be day or month first" in " ".join(made.warnings)
    read = run(study, day_first="no").table("facts").set_index("attribute")
    assert read.loc["date", "value"] == "2021-03-04"


def test_deidentified_copies_hold_no_identifier_and_keep_the_facts(tmp_path: Path) -> None:
    text = "Mme Zdenka Holubova, IPP 8400123456, née le 03/02/1950, vue le 12/05/2020 par le Dr Kowalczyk. " + SAMPLE
    study = study_with(tmp_path, ("P-1001", "2020-05-12", text))
    made = run(study, deidentify=str(new_key(tmp_path / "key")))
    copies = made.table("notes_deidentified")
    copy = copies["text"].iloc[0]
    assert copies["patient"].iloc[0] != "P-1001" and "P-1001" not in copies["note"].iloc[0] and "N-0" not in str(copies)
    for known in ("Zdenka", "Holubova", "8400123456", "03/02/1950", "12/05/2020", "Kowalczyk"):
        assert known not in copy
    assert SAMPLE in copy
    assert {"name", "date"} <= set(made.table("replacements")["kind"])
    assert "review" in made.warnings[0] and "anonym" not in made.warnings[0].replace("not anonymous", "")


@pytest.mark.parametrize("odd", ["\r\n", "\t", "\u00a0", "\U0001F600 ", "e\u0301tat ge\u0301ne\u0301ral : ", "\u200b",
                                 "ﬁn ", "œdème. "])
def test_bad_input_56_offsets_after_odd_characters(odd: str) -> None:
    text = f"{odd}Tumeur pT2N0M0.{odd}\nKi-67 : 20 %"
    facts = next(read_texts([(text, "fr")]))
    assert {"t_category", "n_category", "m_category", "ki67"} <= {fact.attribute for fact in facts}
    assert all(text[fact.start:fact.end] == fact.text for fact in facts)


def test_bad_input_54_a_note_of_a_megabyte_is_read_to_its_end() -> None:
    filler = "Le patient va bien et il n'a pas de fièvre depuis la dernière consultation. "
    text = filler * (1_000_000 // len(filler)) + "Tumeur pT2N0M0."
    facts = next(read_texts([(text, "fr")]))
    assert facts[-1].end > 999_000 and text[facts[-1].start:facts[-1].end] == facts[-1].text


def test_bad_input_85_no_identifier_or_text_in_errors_warnings_and_report(tmp_path: Path) -> None:
    text = f"SECRET-4711 Zdenka Holubova : {SAMPLE}"
    study = study_with(tmp_path, ("P-1001", "2020-01-01", text), ("P-1001", "2020-01-01", text))
    made = run(study)
    made.report()
    page = (made.path / "report.html").read_text(encoding="utf-8")
    said = " ".join(made.warnings) + str(made.metrics) + page
    assert "SECRET" not in said and "Holubova" not in said and "P-1001" not in said


def test_bad_input_88_script_in_a_note_is_text(tmp_path: Path) -> None:
    hostile = f"<script>window.broken=1</script> {SAMPLE}"
    study = study_with(tmp_path, ("P-1001", "2020-01-01", hostile))
    made = run(study, terms={"<img src=x onerror=alert(1)>": ["sein"]})
    made.report()
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "<script>window.broken" not in page and "<img src=x" not in page


def test_copies_follow_the_review_of_identifiers(tmp_path: Path) -> None:
    text = "Mme Zdenka Holubova, vue ce jour avec larkfield. " + SAMPLE
    study = study_with(tmp_path, ("P-1001", "2020-05-12", text))
    review = open_annotations(study, "Anne", IDENTIFIERS)
    work = review.note("N-0", text)
    work.put(Span.of(text, "name", text.index("larkfield"), text.index("larkfield") + 9))
    review.close()
    made = run(study, deidentify=str(new_key(tmp_path / "key")))
    copy = made.table("notes_deidentified")["text"].iloc[0]
    assert "larkfield" not in copy and "Holubova" not in copy
    assert "review" in set(made.table("replacements")["rule"])
    assert "name" not in set(made.table("facts")["attribute"]), "identifiers are no facts"
