"""Bad input ends in a condition that names the object and the remedy, and harms nobody else."""

import pytest

from tests.control_plane.scene import Scene, condition
from tools.local_cluster import KubectlError
from tools.processes import free_ports

pytestmark = pytest.mark.usefixtures("running_operator")

HEADER = "instance_type,zone,capacity_type,usd_h"
GOOD = f"""\
{HEADER}
m5.xlarge,us-east-1a,on-demand,0.192
m5.2xlarge,us-east-1a,on-demand,0.384
"""
SPOILED = """\
m5.4xlarge,us-east-1a,on-demand,0
m5.8xlarge,us-east-1a,on-demand,-0.5
m5.12xlarge,us-east-1a,on-demand,
"""
WEB = {"cpu": "500m", "memory": "1Gi"}


@pytest.fixture
def small(scene: Scene) -> Scene:
    """Four pods on two nodes that are larger than needed."""
    scene.nodes(2, "m5.2xlarge", {"cpu": "7910m", "memory": "30Gi"})
    scene.deploy("web", 4, **WEB)
    scene.await_pods(4)
    return scene


def books(scene: Scene, **offers: str) -> dict[str, dict[str, str]]:
    """A ConfigMap with a price book for each of its keys; gives the references, by key."""
    scene.config_map(scene.namespace, **offers)
    for key in offers:
        source = {"namespace": "nodemix-system", "name": scene.namespace, "key": key}
        scene.price_book(f"{scene.namespace}-{key}", source={"configMap": source})
    return {key: {"name": f"{scene.namespace}-{key}"} for key in offers}


def test_pod_that_no_offer_can_hold_is_named_and_the_others_are_planned(small: Scene) -> None:
    small.deploy("giant", 1, cpu="900", memory="1Gi")
    small.policy()

    said = small.await_condition("PlanFeasible", "UnplaceablePods")
    plan = small.await_plan()

    workload = f"{small.namespace}/Deployment/giant"
    assert said["status"] == "False"
    assert f"{workload}: 1 pods have no place" in said["message"]
    (left_out,) = plan["spec"]["unplaceable"]
    assert (left_out["workload"], left_out["pods"]) == (workload, 1)
    assert left_out["why"]
    assert plan["spec"]["nodesPlan"] >= 1
    assert condition(small.cluster.get("nmp", small.namespace), "Ready")["status"] == "True"


def test_prices_of_zero_negative_or_absent_are_left_out_and_named(small: Scene) -> None:
    book = books(small, spoiled=GOOD + SPOILED)["spoiled"]
    small.policy(catalogRef=book)

    said = small.await_condition("PlanFeasible", "PricesDegraded")
    told = small.await_condition("DataFresh", "Degraded", book["name"], "pricebooks")
    plan = small.await_plan()

    assert plan["spec"]["usdPerHourPlan"] == 0.192
    for offer in ("m5.4xlarge", "m5.8xlarge", "m5.12xlarge"):
        assert offer in said["message"]
        assert offer in told["message"]
    status = small.cluster.get("pricebook", book["name"])["status"]
    assert (status["offers"], status["offersLeftOut"]) == (2, 3)


def test_empty_catalog_keeps_the_last_good_plan(small: Scene) -> None:
    references = books(small, good=GOOD, empty=f"{HEADER}\n")
    small.policy(catalogRef=references["good"])
    plan = small.await_plan()["metadata"]["name"]

    small.policy(catalogRef=references["empty"])
    said = small.await_condition("Ready", "EmptyCatalog")

    policy = small.cluster.get("nmp", small.namespace)
    assert references["empty"]["name"] in said["message"]
    assert "add offers or widen the filter. The last good plan stays" in said["message"]
    assert condition(policy, "DataFresh")["reason"] == "EmptyCatalog"
    assert policy["status"]["planName"] == plan
    assert small.cluster.get("nodemixplan", plan)["spec"]["nodesNow"] == 2


def test_book_that_loses_its_offers_keeps_the_last_good_prices(small: Scene) -> None:
    book = books(small, good=GOOD, empty=f"{HEADER}\n")["good"]
    small.policy(catalogRef=book)
    small.await_plan()

    source = {"namespace": "nodemix-system", "name": small.namespace, "key": "empty"}
    small.price_book(book["name"], source={"configMap": source})
    said = small.await_condition("PlanFeasible", "PricesDegraded")

    assert f"PriceBook {book['name']}" in said["message"]
    assert "stay in use" in said["message"]
    assert condition(small.cluster.get("nmp", small.namespace), "Ready")["status"] == "True"


def test_price_book_that_does_not_exist_is_named_and_found_once_it_does(small: Scene) -> None:
    name = f"{small.namespace}-late"
    small.policy(catalogRef={"name": name})
    said = small.await_condition("Ready", "PriceSource")

    offer = {"instanceType": "m5.xlarge", "zone": "us-east-1a", "capacityType": "on-demand"}
    small.price_book(name, offers=[{**offer, "usdPerHour": 0.192}])
    small.await_condition("Ready", "Decided")

    assert f"PriceBook/{name}: does not exist; create it" in said["message"]


def test_prometheus_that_is_down_costs_the_forecast_and_not_the_plan(small: Scene) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    small.policy(prometheus={"url": url})

    said = small.await_condition("ForecastHealthy", "DegradedInput")
    plan = small.await_plan()

    policy = small.cluster.get("nmp", small.namespace)
    assert f"Prometheus {url}: no answer" in said["message"]
    assert "check that it runs and that the url is right" in said["message"]
    assert condition(policy, "Fallback")["status"] == "True"
    assert condition(policy, "Ready")["status"] == "True"
    assert "no demand history" in " ".join(plan["spec"]["assumptions"])


def test_policy_that_selects_nothing_says_how_to_correct_it(small: Scene) -> None:
    small.policy(selector={"namespaces": [small.namespace], "matchLabels": {"app": "nobody"}})

    said = small.await_condition("Ready", "EmptySelection")

    assert f"NodeMixPolicy/{small.namespace}: spec.selector matches none" in said["message"]
    assert "correct namespaces and matchLabels" in said["message"]


def test_of_two_policies_over_the_same_pods_the_older_goes_on(small: Scene) -> None:
    older = small.policy()
    small.await_plan()
    younger = small.policy(f"{small.namespace}-too")

    said = small.await_condition("Ready", "PolicyConflict", younger)

    assert f"belong to the older NodeMixPolicy/{older}" in said["message"]
    assert f"e.g. {small.namespace}/web-" in said["message"]
    assert "narrow one of the two selectors" in said["message"]
    assert condition(small.cluster.get("nmp", older), "Ready")["status"] == "True"


def test_quantity_that_cannot_be_parsed_is_refused_by_the_api_server_itself(small: Scene) -> None:
    """So what reaches the operator from a live cluster can be read; files are another matter."""
    with pytest.raises(KubectlError, match="quantities must match the regular expression"):
        small.deploy("odd", 1, cpu="lots", memory="1Gi")


def test_policy_in_trouble_does_not_hold_up_another(small: Scene) -> None:
    troubled = small.policy(f"{small.namespace}-lost", catalogRef={"name": "nowhere"})
    well = small.policy(f"{small.namespace}-well")

    small.await_condition("Ready", "PriceSource", troubled)
    # The troubled one is older, and claims the same pods until it is paused.
    small.cluster.kubectl("annotate", "nodemixpolicy", troubled, "nodemix.dev/paused=true")

    small.await_condition("Ready", "Decided", well)
