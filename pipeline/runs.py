"""Stage: the runs that `params.yaml` declares for each corpus; a report depends on its own alone."""

from __future__ import annotations

from pipeline.project.stage import guard
from pipeline.project import layout
from pipeline.project.files import write_json
from pipeline.project.params import load_params


def main() -> None:
    """Write the runs of each corpus, with all they say, into `layout.runs_file(corpus)`."""
    params = load_params()
    for corpus in params.corpora:
        runs = {name: run.model_dump() for name, run in params.runs.items() if run.corpus == corpus}
        write_json(layout.runs_file(corpus), runs)


if __name__ == "__main__":
    guard(main)
