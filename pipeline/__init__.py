"""The DVC stages, one module each, and what they share."""
