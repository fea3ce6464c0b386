"""From a file nobody has described to an entry in `params.yaml`: look, propose, write."""
