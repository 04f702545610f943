from __future__ import annotations

from medomicslab_nb.federated.plan import plan_hash, plan_of, settings_of
from medomicslab_nb.federated.settings import FederatedSettings

GIVEN = {"outcome": "death", "predictors": {"clinical": ["age", "stage"]}, "penalty": 0.5}


def test_a_plan_is_the_same_wherever_the_sites_are() -> None:
    ways = [{"site_column": "hospital"}, {"sites": {"A": "a", "B": "b"}}, {"federation": "f", "backend": "deploy"},
            {"required": ["A"], "missing": "wait", "deadline": 5}]
    plans = {plan_of(FederatedSettings.parse({**GIVEN, **way})) for way in ways}
    assert len(plans) == 1
    assert plan_of(settings_of(plans.pop())) == plan_of(FederatedSettings.parse(GIVEN))


def test_what_is_asked_changes_its_hash() -> None:
    plans = [plan_of(FederatedSettings.parse({**GIVEN, **change})) for change in (
        {}, {"penalty": 0.4}, {"predictors": {"clinical": ["age"]}}, {"outcome": "relapse"}, {"holdout": 0.1},
        {"test": {"split": "1"}}, {"algorithm": "linear"}, {"seed": 1})]
    assert len({plan_hash(plan) for plan in plans}) == len(plans)
