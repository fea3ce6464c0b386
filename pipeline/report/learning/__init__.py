"""The headline figure against the number of training rows."""
