"""A seal is drawn once, hides its patients, opens once, and notices who reaches for its files."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from medomicslab_nb.errors import DataError
from medomicslab_nb.evaluation.endpoints import Endpoint, find_endpoint
from medomicslab_nb.evaluation.sealed import find_seal, open_seal, seal, sealed_patients
from medomicslab_nb.inputs import TrackedStudy
from medomicslab_nb.record import RunRecord
from medomicslab_nb.runner import _commit
from medomicslab_nb.stages import StageResult
from medomicslab_nb.study import create_study, open_study
from medomicslab_nb.tables import Column

N = 100


@pytest.fixture
def study(tmp_path):
    made = create_study(tmp_path / "study")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"patient": [f"PAT{i:04d}" for i in range(N)], "relapse": (np.arange(N) % 4 == 0).astype(int),
                          "days": rng.exponential(100, N).round() + 1, "dead": rng.random(N) < 0.5,
                          "hospital": rng.choice(["A", "B", "C", "D"], N, p=[0.4, 0.3, 0.2, 0.1])})
    made.add_table("clinical", frame, columns={
        "patient": Column(role="identifier", type="text"), "relapse": Column(role="outcome", type="boolean"),
        "days": Column(role="time", endpoint="os"), "dead": Column(role="event", type="boolean", endpoint="os"),
        "hospital": Column(role="centre", type="category")})
    return made


@pytest.fixture
def relapse(study) -> Endpoint:
    return find_endpoint(study, "relapse")


def completed_run(study, patients) -> RunRecord:
    record = RunRecord.create(study.path / "runs", "models", "d" * 64, {"settings": {}, "settings_version": 1})
    tracked = TrackedStudy(study.path)
    _commit(record, tracked, StageResult({"predictions": pd.DataFrame({"patient": patients})}), frozenset())
    return record


def test_patients_are_drawn_once_stratified_and_whatever_their_order(study, relapse, tmp_path):
    made = seal(study, relapse, share=0.2, seed=3)
    event = pd.Series(relapse.event, index=relapse.patients)
    assert (made.n, made.n_development, len(made.patients)) == (20, 80, 20)
    assert event[made.patients].sum() == 5
    assert made.patients.is_monotonic_increasing
    assert made.patients.equals(sealed_patients(study, relapse))
    assert made.notes == (f"20 patients were sealed as a test set on {made.made[:10]} (drawn at random, stratified by "
                          "outcome); 80 were left for development.",)
    other = create_study(tmp_path / "other")
    order = np.random.default_rng(1).permutation(N)
    assert seal(other, relapse.take(order), share=0.2, seed=3).patients.equals(made.patients)
    third = create_study(tmp_path / "third")
    assert not seal(third, relapse, share=0.2, seed=4).patients.equals(made.patients)


@pytest.mark.parametrize("share", [0.1, 0.21, 0.333, 0.5])
def test_the_share_is_kept_in_every_stratum(study, relapse, share):
    three = Endpoint("grade", np.arange(N) % 3, relapse.patients, classes=("a", "b", "c"))
    made = seal(study, three, share=share)
    assert made.n == round(N * share)
    counts = np.bincount(three.restrict(made.patients).outcome)
    assert np.ptp(counts - np.bincount(three.outcome) * share) < 1.01


def test_without_a_seal_nobody_is_hidden(study, relapse):
    assert find_seal(study, relapse) is None
    assert len(sealed_patients(study, relapse)) == 0
    with pytest.raises(DataError, match="there is no sealed test set"):
        open_seal(study, relapse, run="r", digest="d", reason="final test")


def test_a_seal_is_not_made_again(study, relapse):
    made = seal(study, relapse)
    for again in ({}, {"seed": 1}, {"share": 0.5}):
        with pytest.raises(DataError, match=r"a test set was sealed on .* \(20 patients\)"):
            seal(study, relapse, **again)
    assert sealed_patients(study, relapse).equals(made.patients)


def test_an_endpoint_by_another_name_does_not_get_around_the_seal(study):
    made = seal(study, find_endpoint(study, "os"))
    by_column = find_endpoint(study, "dead")
    assert by_column.name != made.endpoint
    assert sealed_patients(study, by_column).equals(made.patients)
    with pytest.raises(DataError, match="a test set was sealed"):
        seal(study, by_column)
    assert len(sealed_patients(study, find_endpoint(study, "relapse"))) == 0


def test_patients_who_come_later_are_development(study, relapse):
    made = seal(study, relapse)
    later = replace(relapse, outcome=np.append(relapse.outcome, True),
                    patients=relapse.patients.append(pd.Index(["PAT9999"])))
    assert sealed_patients(study, later).equals(made.patients)


def test_whole_centres_are_sealed(study, relapse, tmp_path):
    hospital = study.table("clinical")["hospital"]
    made = seal(study, relapse, by="centre", centre=hospital, share=0.25)
    assert set(hospital[made.patients]) == set(made.centres)
    assert not set(hospital.drop(made.patients)) & set(made.centres)
    assert made.n >= 25
    other = create_study(tmp_path / "other")
    named = seal(other, relapse, by="centre", centre=hospital, centres=["C"])
    assert (named.centres, named.n) == (("C",), int((hospital == "C").sum()))
    assert "centres C" in named.notes[0]


@pytest.mark.parametrize(("arguments", "message"), [
    ({"share": 0.0}, "the share is 0"),
    ({"share": 0.01}, "the sealed part would hold 1 patients"),
    ({"share": 0.99}, "the development part would hold 1 patients"),
    ({"by": "centre"}, "the patients' centres are not given"),
    ({"centres": ["A"]}, "centres are given, but patients are drawn at random"),
])
def test_what_cannot_be_sealed_is_refused_and_leaves_nothing(study, relapse, arguments, message):
    with pytest.raises(DataError, match=message):
        seal(study, relapse, **arguments)
    assert find_seal(study, relapse) is None


def test_unknown_centres_are_refused(study, relapse):
    hospital = study.table("clinical")["hospital"]
    with pytest.raises(DataError, match="1 of the named centres have no patient"):
        seal(study, relapse, by="centre", centre=hospital, centres=["Z"])
    with pytest.raises(DataError, match="the centre of 3 of 100 patients is not known"):
        seal(study, relapse, by="centre", centre=hospital.iloc[3:])


def test_opened_once_and_again_by_the_same_settings_only(study, relapse):
    seal(study, relapse)
    with pytest.raises(DataError, match="a reason are needed"):
        open_seal(study, relapse, run="run1", digest="a" * 64, reason=" ")
    first = open_seal(study, relapse, run="run1", digest="a" * 64, reason="final test")
    assert [(entry.run, entry.repeated) for entry in first.openings] == [("run1", False)]
    again = open_seal(study, relapse, run="run2", digest="a" * 64, reason="replay")
    assert [(entry.run, entry.repeated) for entry in again.openings] == [("run1", False), ("run2", True)]
    with pytest.raises(DataError, match=rf"opened on {first.openings[0].when[:10]}.* by run run1 \(final test\)"):
        open_seal(study, relapse, run="run3", digest="b" * 64, reason="better settings")
    kept = find_seal(open_study(study.path), relapse)
    assert len(kept.openings) == 2
    assert kept.notes[-1] == f"The seal was opened on {first.openings[0].when[:10]} by run run1."


def _try(path, endpoint, digest, results):
    try:
        open_seal(open_study(path), endpoint, run=digest, digest=digest, reason="race")
        results.put(digest)
    except DataError:
        results.put("")


def test_of_two_at_once_one_opens(study, relapse):
    seal(study, relapse)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    workers = [context.Process(target=_try, args=(study.path, relapse, letter * 64, results)) for letter in "ab"]
    for worker in workers:
        worker.start()
    found = sorted(results.get(timeout=60) for _ in workers)
    for worker in workers:
        worker.join()
    assert found[0] == ""
    assert found[1] in ("a" * 64, "b" * 64)
    assert len(find_seal(study, relapse).openings) == 1


def test_runs_that_had_seen_the_patients_are_named(study, relapse):
    run = completed_run(study, relapse.patients[:50])
    made = seal(study, relapse)
    assert made.seen == (run.id,)
    assert "1 earlier run had used patients that were sealed afterwards" in made.notes[1]


def test_whoever_changes_the_files_is_noticed(study, relapse):
    made = seal(study, relapse)
    log = study.path / "splits" / f"{made.name}.seal.json"
    study.save_splits(made.name, pd.DataFrame({"patient": ["PATX"], "repeat": [0], "fold": [1]}))
    with pytest.raises(DataError, match="its patients are missing or were changed"):
        sealed_patients(study, relapse)
    log.unlink()
    for reach in (sealed_patients, seal):
        with pytest.raises(DataError, match="its log is missing"):
            reach(study, relapse)


def test_a_seal_whose_making_was_interrupted_can_only_be_the_same(study, relapse):
    made = seal(study, relapse)
    for path in (study.path / "splits").glob("*.yaml"):
        path.unlink()
    with pytest.raises(DataError, match="its patients are missing"):
        sealed_patients(study, relapse)
    with pytest.raises(DataError, match="a test set was sealed"):
        seal(study, relapse, seed=1)
    again = seal(study, relapse)
    assert again.patients.equals(made.patients)
    assert again.made == made.made


def test_a_run_notes_the_seal_and_a_replay_of_an_older_run_knows_none(study, relapse):
    made = seal(study, relapse)
    tracked = TrackedStudy(study.path)
    assert sealed_patients(tracked, relapse).equals(made.patients)
    assert f"splits/{made.name}" in tracked.inputs
    older = TrackedStudy(study.path, pins=[])
    assert len(sealed_patients(older, relapse)) == 0
    pinned = TrackedStudy(study.path, pins=[vars(source) for source in tracked.inputs.values()])
    assert sealed_patients(pinned, relapse).equals(made.patients)


def test_the_log_is_a_document_of_its_own(study, relapse):
    made = seal(study, relapse)
    content = json.loads((study.path / "splits" / f"{made.name}.seal.json").read_text())
    assert content["format"] == "medomicslab_nb/seal"
    assert not set(relapse.patients) & set(json.dumps(content).split('"'))
