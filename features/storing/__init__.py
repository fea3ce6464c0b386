"""The store: shards that are written once, and the corpora published from them."""
