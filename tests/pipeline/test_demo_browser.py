"""The demo page as a person meets it: in a browser, with a real run behind it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.commands.demo_runs import RunService
from pipeline.commands.demo_server import DemoServer
from tests.pipeline.browsing import Visit
from tests.pipeline.films import MOODS, RUNS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NASTY = (
    "<script>document.title='owned'</script> <img src=x onerror=alert(1)> "
    '\u202ertl\u202c 😀 & "quotes" 电影'
)


@pytest.fixture(scope="module")
def url(project: Path) -> Iterator[str]:
    """Where the demo is served."""
    server = DemoServer(RunService(), 0)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server.url
    server.should_exit = True
    thread.join()


class DemoVisit(Visit):
    """The demo, open and ready to be asked."""

    def __init__(self, browser: Browser, url: str, **context: Any) -> None:
        super().__init__(browser, url, **context)
        self.page.locator("#run option").first.wait_for(state="attached")

    def ask(self, run: str, text: str, pair: str | None = None) -> None:
        """Choose a run, fill in and wait for the answer."""
        self.page.select_option("#run", run)
        if pair is not None:
            self.page.fill("#pair", pair)
        self.page.fill("#text", text)
        self.page.click("#predict")
        self.page.locator("#answer[aria-busy=false]:visible").wait_for()


def test_a_text_is_answered_with_bars_and_shaded_words(browser: Browser, url: str) -> None:
    """A pair run shows its label, a bar a class, and each word shaded, over all hops and for each."""
    visit = DemoVisit(browser, url)
    visit.ask("news-attn", "Shares fall", "banks close")
    page = visit.page
    assert page.locator("#said").inner_text() in ("sport", "money")
    assert page.locator("#bars .name").all_inner_texts() == ["sport", "money"]
    shares = [float(text.split()[0]) for text in page.locator("#bars .share").all_inner_texts()]
    assert sum(shares) == pytest.approx(100, abs=0.11)
    words = page.locator("#mean span")
    assert words.all_inner_texts() == ["Shares", "fall", "banks", "close"]
    deepest = (
        "e => Math.max(...[...e.querySelectorAll('span')].map(s => Number(s.style.getPropertyValue('--w'))))"
    )
    assert page.locator("#mean").evaluate(deepest) == 1
    page.click("#hops summary")
    assert page.locator("#hops .shaded").count() == 2
    assert [item for item in visit.asked if not item.startswith(url)] == []
    assert visit.said == []


def test_runs_are_switched_with_the_text_kept(browser: Browser, url: str) -> None:
    """Another run answers the same text by itself: the regressor on a scale, the plain head without words."""
    visit = DemoVisit(browser, url)
    page = visit.page
    visit.ask("films-linear", MOODS[0])
    assert page.locator("#looked").is_hidden()
    assert page.locator("#bars .name").all_inner_texts() == ["1", "2", "3"]
    page.select_option("#run", "films-attn")
    page.locator("#scale:visible").wait_for()
    assert page.locator("#scale span").all_inner_texts() == ["1", "2", "3"]
    assert "value " in page.locator("#details").inner_text()
    assert page.locator("#looked").is_visible()
    assert page.locator("#second").is_hidden()
    page.select_option("#run", "news-attn")
    assert page.locator("#second").is_visible()


def test_nothing_in_a_text_runs(browser: Browser, url: str) -> None:
    """Markup, marks of direction and emoji stand on the page as they were written."""
    visit = DemoVisit(browser, url)
    visit.ask("films-attn", NASTY)
    assert visit.page.locator("#mean").inner_text().startswith("<script>document.title='owned'</script>")
    assert visit.page.locator("#mean img, #mean script").count() == 0
    assert "owned" not in visit.page.title()
    assert visit.said == []


def test_a_text_that_cannot_be_taken_is_said_so(browser: Browser, url: str) -> None:
    """Nothing at all, and a megabyte, get a clear line in place of an answer; a good text clears it."""
    visit = DemoVisit(browser, url)
    page = visit.page
    page.click("#predict")
    assert "There is no text yet" in page.locator("#alert").inner_text()
    page.evaluate("document.getElementById('text').value = 'good '.repeat(209715)")
    page.click("#predict")
    page.get_by_text("The text has 1,048,575 characters; at most 20,000 are taken here.").wait_for()
    visit.ask("films-linear", MOODS[1])
    assert page.locator("#alert").is_hidden()
    page.fill("#text", "good " * 300)
    page.click("#predict")
    page.locator("#cut:visible").wait_for()


def test_the_servers_own_words_reach_the_visitor(browser: Browser, url: str) -> None:
    """A text that is empty once it is cleaned gets the server's explanation."""
    visit = DemoVisit(browser, url)
    visit.page.fill("#text", "\u200b")
    visit.page.click("#predict")
    visit.page.get_by_text("is empty").wait_for()
    assert visit.page.locator("#answer").is_hidden()


def test_a_test_text_is_drawn_and_its_label_shown(browser: Browser, url: str) -> None:
    """One click fills the fields from the test split and predicts; an edited text is no longer labelled."""
    visit = DemoVisit(browser, url)
    page = visit.page
    page.select_option("#run", "news-attn")
    page.click("#example")
    page.get_by_text("in the test split").wait_for()
    assert page.input_value("#pair") in ("goals, goals", "banks, banks")
    page.fill("#text", "something else")
    page.keyboard.press("Control+Enter")
    page.locator("#details", has_not_text="test split").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, url: str, scheme: str) -> None:
    """The accessibility checker finds no violation in either theme, for bars, words and hops or a scale."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    visit = DemoVisit(browser, url, color_scheme=scheme)
    for run in RUNS:
        visit.ask(run, "a wonderful and moving film", "banks close" if run.startswith("news") else None)
        visit.page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
        found = axe.Axe().run(visit.page).response["violations"]
        assert [(item["id"], node["html"]) for item in found for node in item["nodes"]] == []


def test_a_phone_shows_it_without_sideways_scrolling(browser: Browser, url: str) -> None:
    """At 360 px the page is as wide as the screen, also with a word that has no end."""
    visit = DemoVisit(browser, url, viewport={"width": 360, "height": 740})
    visit.ask("films-attn", "wonderful " + "o" * 300)
    visit.page.click("#hops summary")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_theme_is_chosen_and_kept(browser: Browser, url: str) -> None:
    """The switch of the report works here too, and the next visit remembers."""
    page = DemoVisit(browser, url, color_scheme="light").page
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.click("#theme")
    page.click("#theme")
    dark = page.evaluate(ground)
    assert dark != light
    page.goto(url)
    assert page.evaluate(ground) == dark
