"""Looking for what no rule names yet."""
