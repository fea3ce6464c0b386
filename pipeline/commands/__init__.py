"""Commands beside the DVC stages: from a new table to a prediction, an export, a demo."""
