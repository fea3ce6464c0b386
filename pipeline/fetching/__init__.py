"""Getting the files of known corpora: downloads that go on where they stopped, archives nobody trusts."""
