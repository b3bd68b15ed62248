"""The report in a real browser, which knows what a reader sees."""

import functools
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.image import imread
from nodemix.operator.report.document import to_document
from nodemix.operator.report.html import render_html
from nodemix.operator.report.pictures import plan_pictures

from tests.operator.report.browser import Shown, render
from tests.operator.report.examples import a_weighed_recommendation
from tests.operator.report.test_pictures import a_forecast, a_history

Look = Callable[[int, bool], Shown]

PHONE, DESK = 390, 1280

FIGURES = (
    "2.10 $/h", "0.88 $/h", "58.1 %", "0.86 $/h", "2.08 %", "2.50 %", "3.75 %",
    "half empty: 31 % of its vCPUs are requested",
    "1.05 interruptions a day expected (0.26 to 3.14)",
    "18.0%", "25.7% cheaper", "0.9236", "dry-run: nothing was changed",
)  # fmt: skip


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Look:
    """What a window of some width shows, light or dark."""
    folder = tmp_path_factory.mktemp("page")
    document = to_document(a_weighed_recommendation(), "cluster.yaml")
    pictures = plan_pictures(document, a_history(), a_forecast(), covered_s=600.0)
    page = folder / "plan.html"
    page.write_text(render_html(document, pictures), encoding="utf-8")

    @functools.cache
    def look(width: int, is_dark: bool) -> Shown:
        profile = tmp_path_factory.mktemp("profile")
        return render(page, profile, width, is_dark=is_dark)

    return look


WINDOWS = [(PHONE, False), (PHONE, True), (DESK, False), (DESK, True)]


@pytest.mark.parametrize(("width", "is_dark"), WINDOWS)
class TestPage:
    def test_has_no_errors(self, shown: Look, width: int, is_dark: bool) -> None:
        assert shown(width, is_dark).complaints == ()

    def test_asks_the_network_for_nothing(self, shown: Look, width: int, is_dark: bool) -> None:
        assert shown(width, is_dark).requests == ()

    def test_shows_the_key_figures(self, shown: Look, width: int, is_dark: bool) -> None:
        text = shown(width, is_dark).text

        assert [figure for figure in FIGURES if figure not in text] == []

    def test_fits_the_window(self, shown: Look, width: int, is_dark: bool) -> None:
        page = shown(width, is_dark)

        assert page.width <= width
        assert page.sticking_out == ()

    def test_shows_what_changes_whole(self, shown: Look, width: int, is_dark: bool) -> None:
        assert "changes" not in shown(width, is_dark).scrolled


def test_a_dark_page_is_dark_and_a_light_one_light(shown: Look) -> None:
    def corner(is_dark: bool) -> float:
        page = shown(DESK, is_dark)
        return float(imread(io.BytesIO(page.png))[:20, :20, :3].mean())

    assert corner(True) < 0.2
    assert corner(False) > 0.9


def test_the_browser_tells_what_is_wrong_with_a_page(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'>"
        "<p style='width: 2000px'>seen</p><p hidden>unseen</p>"
        "<img src='http://127.0.0.1:9/absent.png'><script>nothing.at.all</script>"
    )
    profile = tmp_path / "profile"
    profile.mkdir()

    bad = render(page, profile, DESK)

    assert bad.requests == ("http://127.0.0.1:9/absent.png",)
    assert any("nothing is not defined" in complaint for complaint in bad.complaints)
    assert bad.width > DESK
    assert bad.sticking_out == ("P: seen",)
    assert "seen" in bad.text
    assert "unseen" not in bad.text
