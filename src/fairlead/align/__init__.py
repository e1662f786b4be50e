"""Training: pure losses, and small loops that arrange them over any Hugging Face causal model."""
