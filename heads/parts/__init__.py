"""What every architecture is made of: the base class, options, shared layers, saving."""
