"""Which engine encodes, on which machines."""
