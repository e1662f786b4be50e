"""Recognisers for personal data and secrets, and masking. Pure, but for `rim`, which masks what a process says of itself."""
