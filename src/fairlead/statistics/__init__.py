"""Intervals, gates, ranking and agreement: pure functions, numbers in, numbers out."""
