"""`dvc.yaml` against the code it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from pipeline.graph import code_deps, imported_files, stage_bodies

ROOT = Path(__file__).resolve().parents[2]


def stages() -> dict[str, dict[str, Any]]:
    return stage_bodies(YAML(typ="safe").load(ROOT / "dvc.yaml"))


@pytest.mark.parametrize("stage", stages())
def test_deps_are_the_imports(stage: str) -> None:
    """Each stage lists exactly the files that its module imports; `make deps` writes them."""
    body = stages()[stage]
    assert list(code_deps(body)) == list(imported_files(Path(f"pipeline/{stage}.py"), ROOT))


@pytest.mark.parametrize("stage", stages())
def test_a_stage_runs_the_module_of_its_name(stage: str) -> None:
    """The table of contents and the files agree in their names."""
    assert stages()[stage]["cmd"].startswith(f"python -m pipeline.{stage}")
    assert (ROOT / "pipeline" / f"{stage}.py").is_file()


def test_imports_are_followed_through_functions_and_packages(tmp_path: Path) -> None:
    """Indirect imports, imports inside functions and packages with code all count; empty packages do not."""
    for file, source in {
        "pipeline/__init__.py": '"""Only words."""',
        "pipeline/a.py": "from pipeline import b\ndef f():\n    import features.c\n",
        "pipeline/b.py": "import os\n",
        "features/__init__.py": "X = 1\n",
        "features/c.py": "import numpy\n",
    }.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(source)
    found = imported_files(Path("pipeline/a.py"), tmp_path)
    assert found == ("features/__init__.py", "features/c.py", "pipeline/a.py", "pipeline/b.py")
