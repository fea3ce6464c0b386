"""The report says which rows a corpus does without."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.report.pages import corpus_page
from tests.pipeline.report_results import Plan, make_params, make_results


@pytest.mark.parametrize("dropped", [0, 1234])
def test_rows_left_out_are_counted_by_their_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dropped: int
) -> None:
    """Filtered rows stand beside the rejected ones, and repeats that were dropped in the leak audit."""
    monkeypatch.chdir(tmp_path)
    plan = Plan(texts=tuple(f"text {i}" for i in range(60)))
    results = make_results(plan, tmp_path)
    left_out = {"columns.only": 777} | ({"split.repeats": dropped} if dropped else {})
    summary = replace(results.summary, leaked_texts=9, moved_rows=0 if dropped else 55, left_out=left_out)
    text = corpus_page(replace(results, summary=summary), make_params(plan))[0]
    assert "by columns.only 777" in text
    assert ("1,234 rows were left out so that each" in text) == bool(dropped)
    assert ("55 rows were moved so that each" in text) == (not dropped)
