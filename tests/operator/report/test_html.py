import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from nodemix.operator.report.document import to_document
from nodemix.operator.report.html import render_html
from nodemix.operator.report.pictures import Picture
from nodemix.optimizer.plan import Recommendation

from tests.operator.report.examples import a_recommendation

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
    ],
)
def test_page_says(text: str) -> None:
    assert text in page()


def test_page_of_a_plan_without_change_says_so() -> None:
    calm = replace(a_recommendation(), is_change=False)

    assert "Keep today&#39;s nodes" in page(calm) or "Keep today's nodes" in page(calm)


def test_page_without_margins_has_no_columns_for_them() -> None:
    calm = a_recommendation()
    pools = tuple(replace(pool, margins=None) for pool in calm.pools)
    text = page(replace(calm, pools=pools, savings=None))

    assert "next best" not in text
    assert "Where the saving comes from" not in text
