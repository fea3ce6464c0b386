"""What holds for every test: the process is set up as a stage's is, before anything loads torch."""

import pipeline.project.stage  # noqa: F401
