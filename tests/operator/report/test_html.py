import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from nodemix.operator.report.document import to_document
from nodemix.operator.report.html import render_html
from nodemix.operator.report.pictures import Picture
from nodemix.optimizer.catalog.labels import ZONE_LABEL
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortPins, PlannedSteering, WorkloadAffinity
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.snapshot import Requirement, Selector

from tests.operator.report.examples import CART, a_recommendation

VOID = {"meta", "br", "link", "img"}
PICTURE = Picture("a caption", "<svg><path d='M0 0'></path></svg>")


def page(recommendation: Recommendation | None = None) -> str:
    return render_html(to_document(recommendation or a_recommendation()), [PICTURE])


class Balance(HTMLParser):
    """Finds tags that are closed in another order than they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_tag_is_closed() -> None:
    parser = Balance()
    parser.feed(page())

    assert parser.open == []


def test_page_asks_the_network_for_nothing() -> None:
    assert not re.search(r"(src|href)\s*=|@import|url\(|<script", page())


def test_text_from_the_cluster_is_escaped() -> None:
    assert "cart &lt;1 of 5 pods" in page()
    assert "<1 of 5" not in page()


def test_markup_in_a_workloads_name_stays_text() -> None:
    hostile = replace(a_recommendation(), reasons=("<script>alert(1)</script>",))

    assert "<script>" not in page(hostile)


def test_pictures_are_put_in_as_they_are() -> None:
    assert PICTURE.svg in page()
    assert "a caption" in page()


@pytest.mark.parametrize(
    "text",
    [
        "A cheaper node mix",
        "0.77 $/h",
        "84.4 %",
        "no plan for these pods costs less than 0.1188 $/h",
        "0.40% that a pod finds no place (shortfall)",
        "ml/Job/train",
        "5 &times; shop/Deployment/cart",
        "room for 1 &times; shop/Deployment/cart",
        "workloads without a word on it may use spot",
        "[warning] node-1: no instance type label; label it",
        "dry-run: nothing was changed",
        "Where the saving comes from",
        '<td class="whole">packing</td><td class="number good">+0.3840</td>',
        '<td class="whole">headroom</td><td class="number warning">-0.0200</td>',
        "<b>+0.6480</b>",
        '<td class="number">+0.0031</td><td class="number">-0.0124</td>',
        "c6g.xlarge us-east-1a<br>",
        "0.0712, wins &lt;0.0600",
        "marginal values of the relaxation",
        "once placed<b>0.12 $/h</b>",
        "0.1236 $/h expected in mode cohort (+3.0% on the plan), 99% of the saving is left",
        '<td class="number">0.1800</td><td class="number warning">+0.0600</td>',
        '<td class="whole"><b>cohort</b></td><td class="number">0.1236</td>',
        "Let in in this order: 12 &times; shop/Deployment/cart.",
        '<td class="number">12</td><td>c0</td>',
    ],
)
def test_page_says(text: str) -> None:
    assert text in page()


def test_page_of_a_plan_without_change_says_so() -> None:
    calm = replace(a_recommendation(), is_change=False)

    assert "Keep today&#39;s nodes" in page(calm) or "Keep today's nodes" in page(calm)


def test_page_of_a_plan_that_keeps_todays_nodes_does_not_speak_of_placing() -> None:
    text = page(replace(a_recommendation(), is_change=False, placed=None, steering=None))

    assert "once placed" not in text
    assert "leads the pods" not in text


def led_by(steering: PlannedSteering) -> str:
    return page(replace(a_recommendation(), steering=steering))


def test_page_shows_the_pools_that_a_workload_is_led_to() -> None:
    pools = [Selector((Requirement(ZONE_LABEL, "In", (zone,)),)) for zone in ("a", "b")]
    affinity = WorkloadAffinity(CART, tuple(pools))

    text = led_by(PlannedSteering(PlacementMode.POOL, affinities=(affinity,)))

    assert "<td>shop/Deployment/cart</td><td>a<br>b<br></td>" in text


def test_page_shows_the_pods_pinned_to_each_node() -> None:
    pins = (CohortPins("c0", 2, ((CART, 6),)),)

    text = led_by(PlannedSteering(PlacementMode.PINNED, pins=pins))

    assert '<td class="number">2</td><td>6 &times; shop/Deployment/cart<br></td>' in text


def test_page_without_margins_has_no_columns_for_them() -> None:
    calm = a_recommendation()
    pools = tuple(replace(pool, margins=None) for pool in calm.pools)
    text = page(replace(calm, pools=pools, savings=None))

    assert "next best" not in text
    assert "Where the saving comes from" not in text
