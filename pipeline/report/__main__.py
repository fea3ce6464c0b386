"""Stage: the report over all corpora and runs of `params.yaml`: a front page, and a page for each corpus."""

from __future__ import annotations

from features.errors import InputError
from pipeline.project import layout
from pipeline.project.params import load_params
from pipeline.project.stage import guard, log
from pipeline.report.pages import corpus_page, front_page
from pipeline.report.rendering import write_page
from pipeline.report.results import gather


def main() -> None:
    """Write `index.html` and `<corpus>.html` into `layout.REPORTS`."""
    params = load_params()
    fronts = []
    if "index" in params.corpora:
        raise InputError("a corpus is called 'index', which is the front page's name; give it another name")
    for name in params.corpora:
        page, front = corpus_page(gather(name, params), params)
        write_page(layout.REPORTS / f"{name}.html", page)
        fronts.append(front)
        log.info("%s: %s, %.1f MB", name, layout.REPORTS / f"{name}.html", len(page) / 1e6)
    write_page(layout.REPORTS / "index.html", front_page(fronts, params))
    log.info("open %s", layout.REPORTS / "index.html")


if __name__ == "__main__":
    guard(main)
