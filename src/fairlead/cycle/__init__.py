"""The wheel: the verbs of the other stages in order, under gates, each step an entry in the ledger."""
