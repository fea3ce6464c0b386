"""The PNG pictures."""
