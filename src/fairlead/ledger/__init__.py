"""What happened: one append-only log of typed entries. All state is a fold over it."""
