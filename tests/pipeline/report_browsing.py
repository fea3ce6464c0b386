"""A built report, for tests of what its pages do in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.report.encoders import front_page
from pipeline.report.pages import corpus_page
from pipeline.report.rendering import write_page
from tests.pipeline.report_results import NASTY, Plan, make_params, make_results

TEXTS = tuple(
    f"{opinion} film {i}. {NASTY[i % 5]}"
    for i in range(180)
    for opinion in [("烂片，浪费时间。 A dull", "还可以吧。 A fair", "太好看了！ A grand")[i % 3]]
)


def build_report(folder: Path) -> Path:
    """The folder, with a front page and two corpora: ratings in groups with all there is, and classes."""
    plans = (
        Plan(texts=TEXTS, sizes=(8, 16), seeds=2, case="<b>one</b>"),
        Plan("classes", TEXTS, ordered=False, groups=False, headline="mcc", runs=(("one", "binary", True),)),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        fronts, params = [], make_params(*plans)
        for plan in plans:
            page, front = corpus_page(make_results(plan, folder), make_params(plan))
            write_page(folder / f"{plan.name}.html", page)
            fronts.append(front)
        write_page(folder / "index.html", front_page(fronts, params))
    return folder
