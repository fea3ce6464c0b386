"""Keeps the `deps` of `dvc.yaml` equal to the imports of each stage's module: `python -m pipeline.graph`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.project.stage import guard, log

PACKAGES = ("features", "heads", "pipeline")
GRAPH = Path("dvc.yaml")


def imported_files(module: Path, root: Path = Path()) -> tuple[str, ...]:
    """The project's files that a module imports, directly or not, itself included: sorted posix paths.

    Imports inside functions count: they run too. A package's `__init__.py` counts where it holds more than
    its docstring.
    """
    found: set[Path] = set()
    pending = [module]
    while pending:
        path = pending.pop()
        if path in found:
            continue
        found.add(path)
        pending += _imports(path, root)
    return tuple(sorted(path.as_posix() for path in found if _holds_code(root / path)))


def code_deps(stage: dict[str, Any]) -> tuple[str, ...]:
    """The Python files among a stage's `deps`, those named by a parameter left out."""
    return tuple(dep for dep in stage["deps"] if dep.endswith(".py") and "${" not in dep)


def stage_bodies(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Each stage's own mapping, the `do` of a `foreach` stage."""
    return {name: stage.get("do", stage) for name, stage in document["stages"].items()}


def main() -> None:
    """Rewrite the Python files among all `deps`; everything else in the file stays as it is."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 110
    document = yaml.load(GRAPH)
    for name, body in stage_bodies(document).items():
        files = imported_files(Path(f"pipeline/{name}.py"))
        others = [dep for dep in body["deps"] if dep not in code_deps(body)]
        body["deps"][:] = [*others, *files]
        log.info("%s: %d files", name, len(files))
    yaml.dump(document, GRAPH)


def _imports(path: Path, root: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse((root / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in PACKAGES:
                yield from _files(name, root)


def _files(module: str, root: Path) -> Iterator[Path]:
    base = Path(*module.split("."))
    # Importing a module runs the packages around it as well.
    packages = [package / "__init__.py" for package in (base, *base.parents) if package.name]
    for candidate in (base.with_suffix(".py"), *packages):
        if (root / candidate).is_file():
            yield candidate


def _holds_code(path: Path) -> bool:
    tree = ast.parse(path.read_text("utf-8"))
    return len(tree.body) > (ast.get_docstring(tree) is not None)


if __name__ == "__main__":
    guard(main)
