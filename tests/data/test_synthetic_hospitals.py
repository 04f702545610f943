"""The four generated hospitals: one truth, other patients, and the same bytes every time."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression

from medomicslab_nb.data import synthetic_hospitals
from medomicslab_nb.data.samples import get_sample
from medomicslab_nb.data.synthetic_hospitals import COLUMNS, EFFECTS, HOSPITALS, INTERCEPT, draw_hospitals, log_odds


def test_same_seed_gives_the_same_patients_and_another_others():
    pd.testing.assert_frame_equal(draw_hospitals(), draw_hospitals())
    assert (draw_hospitals()["age"] != draw_hospitals(1)["age"]).any()


def test_a_hospital_changes_no_other(monkeypatch):
    before = draw_hospitals()
    monkeypatch.setattr(synthetic_hospitals, "HOSPITALS", {**HOSPITALS, "alpha": HOSPITALS["gamma"]})
    after = draw_hospitals()
    for name in ("beta", "delta"):
        pd.testing.assert_frame_equal(before[before["hospital"] == name].reset_index(drop=True),
                                      after[after["hospital"] == name].reset_index(drop=True))


def test_every_hospital_has_its_own_patients_and_gaps():
    frame = draw_hospitals()
    by = frame.groupby("hospital")
    assert by.size().to_dict() == {name: hospital.patients for name, hospital in HOSPITALS.items()}
    gamma, delta, beta = (by.get_group(name) for name in ("gamma", "delta", "beta"))
    assert (gamma["stage"] != "III").all()
    assert gamma["size"].mean() < 2 < delta["size"].mean()
    assert (delta["haemoglobin"] == 0).all()
    assert (frame.loc[frame["hospital"] != "delta", "haemoglobin"] > 0).all()
    assert 0.1 < beta["size"].isna().mean() < 0.2
    assert by["recurrence"].mean()["gamma"] < 0.2 < 0.5 < by["recurrence"].mean()["delta"]


def test_one_formula_holds_in_every_hospital():
    """What a regression finds in many patients is the truth that is told, in each hospital that can see it."""
    frame = pd.concat([draw_hospitals(seed) for seed in range(20)])
    for name in ("alpha", "beta"):
        own = frame[frame["hospital"] == name].dropna(subset=["size"])
        columns = np.column_stack([own["stage"] == "II", own["stage"] == "III", own["age"] - 60, own["size"] - 3,
                                   own["haemoglobin"] - 13, own["sodium"] - 140]).astype(float)
        found = LogisticRegression(C=np.inf, max_iter=1000).fit(columns, own["recurrence"])
        np.testing.assert_allclose(found.coef_[0], [*EFFECTS.values(), 0.0], atol=0.12)
        np.testing.assert_allclose(found.intercept_[0], INTERCEPT, atol=0.15)


def test_log_odds_of_one_patient():
    patient = pd.DataFrame({"stage": ["III"], "age": [70], "size": [4.0], "haemoglobin": [12.0]})
    np.testing.assert_allclose(log_odds(patient), [-1.5 + 1.8 + 0.6 + 0.5 + 0.4])


def test_sample_has_its_dictionary(study):
    (info,) = get_sample("hospitals", study)
    assert info.n_rows == 1760
    assert (info.column("hospital").role, info.column("recurrence").role) == ("centre", "outcome")
    frame = study.table("clinical")
    assert set(frame.columns) == set(COLUMNS)
    assert frame.index[0] == "HOSP-0001"
