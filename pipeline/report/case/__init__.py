"""One group looked at by itself."""
