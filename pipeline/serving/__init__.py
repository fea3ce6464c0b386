"""A small page on the loopback address that asks trained runs about texts."""
