from nodemix.optimizer.risk import shortfall
from nodemix.optimizer.warming import warm_up


def test_the_kernels_of_a_decision_are_ready_afterwards() -> None:
    warm_up()

    assert shortfall._homeless.signatures
