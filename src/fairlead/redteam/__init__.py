"""Attacks: what is asked for, how it is disguised, how it went."""
