"""What several tests of the pipeline start from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest


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
