"""What a reader chooses on a page: two sides to compare, a size of a learning curve, a diagram."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.pipeline.browsing import Visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_any_two_sides_show_what_changed(browser: Browser, report: Path) -> None:
    """Two chosen sides list fixed, broken and both wrong with their texts as text; one alone lists none."""
    page = Visit(browser, report / "demo.html").page
    changes = page.locator("#changes")
    changes.locator("select.from").select_option("demo-regress")
    changes.locator("select.to").select_option("tfidf")
    assert changes.locator("summary").count() == 3
    reading = changes.locator(".reading").first
    assert "demo-regress: " in reading.inner_text()
    assert "tfidf: " in reading.inner_text()
    assert "film" in reading.locator(".quote").inner_text()
    assert page.evaluate("document.querySelectorAll('#changes .quote *').length") == 0
    changes.locator("select.to").select_option("demo-regress")
    assert changes.locator("summary").count() == 0
    assert changes.locator(".same").is_visible()


def test_a_learning_curve_leads_to_what_changed(browser: Browser, report: Path) -> None:
    """The link beside a size shows the changes from the size below it."""
    page = Visit(browser, report / "demo.html").page
    page.locator('#learning a[data-to="demo-linear-16"]').click()
    assert page.locator("#changes select.from").input_value() == "demo-linear-8"
    assert page.locator("#changes select.to").input_value() == "demo-linear-16"


def test_the_diagram_of_the_chosen_run_shows(browser: Browser, report: Path) -> None:
    """Another run shows its own reliability diagram and bins in place of the first."""
    page = Visit(browser, report / "demo.html").page
    page.locator("select[data-shows=calibration]").select_option("tfidf")
    assert page.locator('[data-slot="calibration"][data-name="tfidf"] svg').is_visible()
    assert page.locator('[data-slot="calibration"][data-name="demo-attn"]').is_hidden()
