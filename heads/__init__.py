"""Light heads over cached embeddings, and the tasks they are trained for: torch only."""
