"""Fairlead: one policy, one ledger, one judge, and the verbs between them."""

__version__ = "0.1.0"
