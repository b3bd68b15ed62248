"""The well-known labels that nodes of an offer will carry."""

from nodemix.optimizer.catalog.labels import instance_labels, market_labels, offer_labels

from tests.builders import SPOT, make_offer


def test_a_type_is_labelled_by_name_family_size_and_architecture() -> None:
    labels = dict(instance_labels("g4dn.2xlarge", "g4dn", "g", 4, "amd64", 8, 32_768))

    assert labels["node.kubernetes.io/instance-type"] == "g4dn.2xlarge"
    assert labels["kubernetes.io/arch"] == "amd64"
    assert labels["karpenter.k8s.aws/instance-size"] == "2xlarge"
    assert labels["karpenter.k8s.aws/instance-generation"] == "4"
    assert labels["karpenter.k8s.aws/instance-memory"] == "32768"


def test_further_facts_are_labelled_where_they_are_known() -> None:
    labels = dict(
        instance_labels(
            "g4dn.xlarge",
            "g4dn",
            "g",
            4,
            "amd64",
            4,
            16_384,
            gpu_name="t4",
            gpu_count=1,
            local_nvme=0,
        )
    )

    assert labels["karpenter.k8s.aws/instance-gpu-name"] == "t4"
    assert labels["karpenter.k8s.aws/instance-gpu-count"] == "1"
    assert "karpenter.k8s.aws/instance-local-nvme" not in labels


def test_a_market_is_labelled_in_both_dialects_with_its_region() -> None:
    labels = market_labels("us-east-1a", SPOT)

    assert labels["topology.kubernetes.io/zone"] == "us-east-1a"
    assert labels["topology.kubernetes.io/region"] == "us-east-1"
    assert labels["karpenter.sh/capacity-type"] == "spot"
    assert labels["eks.amazonaws.com/capacityType"] == "SPOT"


def test_a_zone_that_is_not_named_the_usual_way_has_no_region() -> None:
    assert "topology.kubernetes.io/region" not in market_labels("rack-7", SPOT)


def test_an_offer_has_the_labels_of_its_type_and_its_market() -> None:
    labels = offer_labels(make_offer("m5.large", zone="us-east-1b"))

    assert labels["node.kubernetes.io/instance-type"] == "m5.large"
    assert labels["topology.kubernetes.io/zone"] == "us-east-1b"
