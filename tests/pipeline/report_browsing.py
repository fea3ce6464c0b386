"""A built report and a browser to open it in: for tests of what the pages do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.report.pages import corpus_page, front_page
from pipeline.report.rendering import write_page
from tests.pipeline.report_results import NASTY, Plan, make_params, make_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

TEXTS = tuple(
    f"{opinion} film {i}. {NASTY[i % 5]}"
    for i in range(180)
    for opinion in [("烂片，浪费时间。 A dull", "还可以吧。 A fair", "太好看了！ A grand")[i % 3]]
)


def chromium() -> Iterator[Browser]:
    """Headless Chromium of the system; the test is skipped where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed, so no browser can be driven"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip("no Chromium on this machine; on Debian: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield found
        found.close()


def build_report(folder: Path) -> Path:
    """The folder, with a front page and two corpora: ratings in groups with all there is, and classes."""
    plans = (
        Plan(texts=TEXTS, sizes=(8, 16), seeds=2, case="<b>one</b>"),
        Plan("classes", TEXTS, ordered=False, groups=False, headline="mcc", runs=(("one", "binary", True),)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fronts = []
        for plan in plans:
            page, front = corpus_page(make_results(plan, folder), make_params(plan))
            write_page(folder / f"{plan.name}.html", page)
            fronts.append(front)
        write_page(folder / "index.html", front_page(fronts, make_params(plans[0])))
    return folder


class Visit:
    """An open page, with all it said and asked for."""

    def __init__(self, browser: Browser, path: Path, **context: Any) -> None:
        self.said: list[str] = []
        self.asked: list[str] = []
        self.page: Page = browser.new_context(**context).new_page()
        self.page.set_default_timeout(60_000)  # a busy machine takes its time
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())
