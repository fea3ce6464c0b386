"""From the cache to batches of a head."""
