"""What a site does so that the noise of a private network is really there, and is paid for once."""

from __future__ import annotations

import pytest

from medomicslab_nb.federated.audit import AuditLog
from medomicslab_nb.federated.ledger import Ledger
from medomicslab_nb.federated.settings import FederatedSettings, PolicySettings
from medomicslab_nb.federated.site import Site
from tests.federated import some_steps
from tests.federated.some_patients import ask, some_patients

SETTINGS = FederatedSettings(outcome="relapse", algorithm="network", predictors={"clinical": ("age", "marker")},
                             network={"rounds": 3}, privacy={"kind": "local"})


def asked(number: int = 1, **change: object) -> dict[str, object]:
    return {"network": SETTINGS.network.model_dump(mode="json"), "privacy": SETTINGS.privacy.model_dump(mode="json"),
            "number": number, **change}


@pytest.fixture
def log() -> AuditLog:
    return AuditLog()


@pytest.fixture
def site(monkeypatch, log) -> Site:
    some_steps.instead(monkeypatch, some_steps.sums, "network")
    return Site("Basel", lambda _: some_patients(), PolicySettings(), log, None, Ledger())


@pytest.mark.parametrize("name", ["network", "privacy"])
def test_a_question_cannot_change_the_plans_noise_or_training(site, name) -> None:
    changed = {**asked()[name], **({"kind": "none"} if name == "privacy" else {"epochs": 50})}
    reply = ask(site, "network", asked(**{name: changed}), settings=SETTINGS)
    assert f"the question's settings of '{name}' are not those of the plan" in reply.refused
    assert not ask(site, "network", asked(), settings=SETTINGS).refused


def test_privacy_is_spent_once_whichever_run_asks(site, log) -> None:
    for number in (1, 2, 3):
        assert not ask(site, "network", asked(number), settings=SETTINGS, run=f"run-{number}").refused
    reply = ask(site, "network", asked(4), settings=SETTINGS, run="run-9")
    assert "the privacy that this plan may spend here was spent in 3 rounds" in reply.refused
    assert list(log.read()["event"]) == ["released"] * 3 + ["refused"]


def test_the_same_question_has_the_same_noise_and_costs_no_training(site, monkeypatch) -> None:
    first = ask(site, "network", asked(), settings=SETTINGS)
    some_steps.instead(monkeypatch, some_steps.pandas_error, "network")  # training again would be told
    again = ask(site, "network", asked(), settings=SETTINGS, run="run-2", number=7)
    assert again.values.keys() == first.values.keys() and not again.refused


def test_without_privacy_nothing_is_spent(site) -> None:
    plain = SETTINGS.model_copy(update={"privacy": FederatedSettings(outcome="x").privacy})
    for number in range(5):
        assert not ask(site, "network", asked(number, privacy={**asked()["privacy"], "kind": "none"}),
                       settings=plain).refused
