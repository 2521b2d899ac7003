"""There is nothing in here."""
