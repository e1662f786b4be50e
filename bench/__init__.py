"""Benchmarks, one for each stage: `python -m bench.NAME [--quick]`."""
