"""Extraction on a Ray cluster: actors write shards into the shared store, the driver counts."""
