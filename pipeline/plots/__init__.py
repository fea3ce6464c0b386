"""PNG figures with matplotlib."""
