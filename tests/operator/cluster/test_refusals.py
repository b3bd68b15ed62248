from nodemix.operator.cluster.refusals import MOST_NAMES, claim_record

from tests.api_objects import make_claim_object


def test_claim_is_read_by_its_requirements() -> None:
    record = claim_record(
        make_claim_object("a", types=["m5.large", "c5.large"], zones=["z"], markets=["spot"])
    )

    assert record.instance_types == ("c5.large", "m5.large")
    assert (record.zones, record.markets, record.complaint) == (("z",), ("spot",), "")


def test_labels_tell_what_requirements_leave_open_and_no_more() -> None:
    claim = make_claim_object("a", zones=["z1", "z2"], markets=[])
    claim["metadata"]["labels"] = {
        "karpenter.sh/capacity-type": "spot",
        "topology.kubernetes.io/zone": "z3",
    }

    record = claim_record(claim)
    assert (record.zones, record.markets) == (("z1", "z2"), ("spot",))


def test_requirement_that_excludes_or_leaves_open_names_nothing() -> None:
    claim = make_claim_object("a", markets=[])
    claim["spec"]["requirements"] = [
        {"key": "topology.kubernetes.io/zone", "operator": "NotIn", "values": ["z1"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "Exists"},
    ]

    record = claim_record(claim)
    assert (record.instance_types, record.zones, record.markets) == ((), (), ())


def test_of_more_types_than_a_provider_tries_none_is_remembered() -> None:
    types = [f"m5.{size}xlarge" for size in range(MOST_NAMES + 1)]

    assert len(claim_record(make_claim_object("a", types=types[1:])).instance_types) == MOST_NAMES
    assert claim_record(make_claim_object("a", types=types)).instance_types == ()


def test_claim_complains_while_it_is_not_launched() -> None:
    waiting = make_claim_object("a", launched=("Unknown", "no capacity"))
    running = make_claim_object("a", launched=("True", "no capacity"))

    assert claim_record(waiting).complaint == "no capacity"
    assert claim_record(running).complaint == ""


def test_complaint_is_another_one_when_its_words_change() -> None:
    first, second = (
        claim_record(make_claim_object("a", launched=("Unknown", words))).refusal()
        for words in ("no capacity in z1", "no capacity in z2")
    )

    assert first.key != second.key
    assert (first.claim_name, first.is_final, first.at_s) == ("a", False, None)
