"""Our mean and our Adam against Flower's strategies of the same names, round by round."""

from __future__ import annotations

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, Message, Metadata, MetricRecord, RecordDict
from flwr.serverapp.strategy import FedAdam, FedAvg, FedProx

from medomicslab_nb.federated.settings import NetworkSettings
from medomicslab_nb.federated.tasks.network_strategy import mean_change, server_of

PATIENTS = (120, 45, 300)
METADATA = Metadata(run_id=0, message_id="", src_node_id=1, dst_node_id=0, reply_to_message_id="", group_id="",
                    created_at=0.0, ttl=1.0, message_type="train")


def flower_round(strategy, number: int, weights: np.ndarray, answers: list[np.ndarray]) -> np.ndarray:
    if hasattr(strategy, "current_arrays"):
        strategy.current_arrays = {"weights": weights}
    replies = []
    for count, answer in zip(PATIENTS, answers, strict=True):
        content = RecordDict({"arrays": ArrayRecord({"weights": Array(answer)}),
                              "metrics": MetricRecord({"num-examples": count})})
        replies.append(Message(content=content, metadata=METADATA))
    arrays, _ = strategy.aggregate_train(number, replies)
    return arrays["weights"].numpy()


STRATEGIES = {
    "fedavg": lambda: FedAvg(),
    "fedprox": lambda: FedProx(proximal_mu=0.1),
    "fedadam": lambda: FedAdam(eta=0.05, beta_1=0.9, beta_2=0.99, tau=1e-3),
}


@pytest.mark.parametrize("name", STRATEGIES)
def test_five_rounds_equal_flower(name: str) -> None:
    generator = np.random.default_rng(3)
    ours = theirs = generator.normal(size=40)
    server, flower = server_of(NetworkSettings(strategy=name)), STRATEGIES[name]()
    for number in range(1, 6):
        changes = [generator.normal(scale=0.2, size=40) for _ in PATIENTS]
        ours_next = server(ours, mean_change(changes, PATIENTS))
        theirs = flower_round(flower, number, theirs, [theirs + change for change in changes])
        np.testing.assert_allclose(ours_next, theirs, rtol=0, atol=1e-13)
        assert np.abs(ours_next - ours).max() > 0.01
        ours = ours_next


def test_the_other_settings_of_flower_are_its_defaults() -> None:
    flower = FedAdam()
    assert (flower.beta_1, flower.beta_2, flower.tau) == (0.9, 0.99, 1e-3)


def test_a_site_counts_by_its_patients() -> None:
    assert mean_change([np.zeros(2), np.ones(2)], [30, 10]).tolist() == [0.25, 0.25]
