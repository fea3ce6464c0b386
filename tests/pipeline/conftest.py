"""What several tests of the pipeline start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def films_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small project of `films`, made once; tests do not write into what it holds."""
    from tests.pipeline.films import build_project

    return build_project(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def project(films_project: Path) -> Iterator[Path]:
    """The small project as the working directory while a module's tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(films_project)
        yield films_project


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium of the system."""
    from tests.pipeline.browsing import chromium

    yield from chromium()


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the front page and two corpora; tests only read it."""
    from tests.pipeline.report_browsing import build_report

    return build_report(tmp_path_factory.mktemp("report"))
