"""Models behind one protocol, `Chat`: a local folder, or any OpenAI-compatible endpoint."""
