"""Extraction on a Ray cluster: actors encode and write shards, the driver keeps count and publishes."""
