"""Compares what happened with what should be: conversation and policy in, a verdict that cites the rule out."""
