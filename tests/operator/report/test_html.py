import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from nodemix.operator.report.document import to_document
from nodemix.operator.report.heat import WARMEST_PERCENT, heat_rows
from nodemix.operator.report.html import render_html
from nodemix.operator.report.pictures import Picture
from nodemix.optimizer.catalog.labels import ZONE_LABEL
from nodemix.optimizer.placement.mode import PlacementMode
from nodemix.optimizer.placement.planned import CohortPins, PlannedSteering, WorkloadAffinity
from nodemix.optimizer.plan import Recommendation
from nodemix.optimizer.snapshot import Requirement, Selector

from tests.operator.report.examples import CART, a_recommendation, a_weighed_recommendation

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
        '<td class="number detail">+0.0031</td><td class="number detail">-0.0124</td>',
        '<td class="sign add" title="a new pool">+</td>',
        "policy default, 2026-11-18 11:06 UTC",
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


def weighed_page() -> str:
    return page(a_weighed_recommendation())


@pytest.mark.parametrize(
    "text",
    [
        "a pod finds no place<b>2.50 %</b>",
        "CVaR<b>3.75 %</b>",
        "(2 of 80 scenarios)",
        "1.05 interruptions a day expected (0.26 to 3.14)",
        '<tr class="chosen"><th scope="row" class="whole">chosen</th>',
        '<td class="number">0.8796</td><td class="number">0.9236</td>',
        '<td class="number">0.9236</td><td class="number">1.0561</td>',
        '<td class="number">no</td>',
        "the plan is 25.7% cheaper",
        "covers 97 % of the joint paths of demand (95 % are worth it)",
        "Jain&#39;s index 0.900",
        "shop/PodDisruptionBudget/cart keeps 2 nodes, 0.1920 $/h",
    ],
)
def test_page_of_a_weighed_plan_says(text: str) -> None:
    assert text in weighed_page()


def test_cells_of_the_heat_map_are_the_warmer_the_more_there_is_to_lose() -> None:
    rows = heat_rows(to_document(a_weighed_recommendation()))

    assert [(row.instance_type, row.zone) for row in rows] == [
        ("c7g.xlarge", "us-east-1a"), ("c7g.xlarge", "us-east-1b"), ("m6g.large", "us-east-1a"),
    ]  # fmt: skip
    by_column = list(zip(*(row.cells for row in rows), strict=True))
    assert [cell.text for cell in by_column[3]] == ["18.0%", "11.0%", "2.0%"]
    assert [cell.percent for cell in by_column[3]] == [45, 28, 5]
    assert [cell.text for cell in by_column[1]] == [
        "0.10 (0.02 to 0.29)", "0.26 (0.07 to 0.79)", "0.02 (0.00 to 0.06)",
    ]  # fmt: skip
    assert max(cell.percent for cell in by_column[1]) == by_column[1][1].percent == 45


def test_the_share_that_a_shock_takes_is_warm_by_itself_not_beside_the_others() -> None:
    rows = heat_rows(to_document(a_weighed_recommendation()))

    assert [(row.cells[2].text, row.cells[2].percent) for row in rows] == [
        ("60%", 27), ("70%", 31), ("55%", 25),
    ]  # fmt: skip


def test_pools_that_lose_nothing_are_not_warm() -> None:
    calm = a_weighed_recommendation()
    pools = tuple(replace(pool, loss_if_reclaimed=0.0) for pool in calm.risk.pools)
    document = to_document(replace(calm, risk=replace(calm.risk, pools=pools)))

    assert [row.cells[3].percent for row in heat_rows(document)] == [0, 0, 0]


def test_page_without_a_look_at_risk_has_neither_map_nor_options() -> None:
    text = page()

    for part in ("What can go wrong", "Why so much room", "What else could be had", "Who gets"):
        assert part not in text
    assert "0.40% that a pod finds no place (shortfall)" in text


def test_every_column_has_a_header_of_its_scope() -> None:
    text = weighed_page()

    assert re.findall(r"<th(?! scope=)[ >]", text) == []
    assert text.count('<th scope="row"') >= 10


def test_every_picture_has_words_for_those_who_do_not_see_it() -> None:
    picture = Picture("a caption", "<svg></svg>", words='now 2.10, plan "0.88"')

    text = render_html(to_document(a_recommendation()), [picture, PICTURE])

    assert 'aria-label="now 2.10, plan &#34;0.88&#34;"' in text
    assert 'aria-label="a caption"' in text


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2 of a colour ``#rrggbb`` or ``#rgb``."""
    digits = long(color).removeprefix("#")
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def mixed(warm: str, page_color: str, percent: int) -> str:
    pairs = [(int(warm[i : i + 2], 16), int(page_color[i : i + 2], 16)) for i in (1, 3, 5)]
    share = percent / 100
    return "#" + "".join(f"{round(share * a + (1 - share) * b):02x}" for a, b in pairs)


def palettes() -> list[dict[str, str]]:
    """Colours of the light page and of the dark one."""
    rules = re.findall(r":root {.*?}", page())
    light, dark = (dict(re.findall(r"--(\w+): (#\w{3,6});", rule)) for rule in rules)
    return [light | {"page": long(light["page"])}, dark]


def long(color: str) -> str:
    """``#rgb`` as ``#rrggbb``."""
    return color if len(color) == 7 else "#" + "".join(2 * digit for digit in color[1:])


@pytest.mark.parametrize("is_dark", [False, True])
@pytest.mark.parametrize("ink", ["text", "quiet", "good", "bad", "warn"])
def test_text_stands_out_against_the_page(ink: str, is_dark: bool) -> None:
    colors = palettes()[is_dark]

    assert contrast(colors[ink], colors["page"]) >= 4.5
    assert contrast(colors[ink], colors["card"]) >= 4.5


@pytest.mark.parametrize("is_dark", [False, True])
def test_text_stands_out_against_the_warmest_cell(is_dark: bool) -> None:
    colors = palettes()[is_dark]

    warmest = mixed(colors["bad"], colors["page"], WARMEST_PERCENT)

    assert contrast(colors["text"], warmest) >= 4.5
