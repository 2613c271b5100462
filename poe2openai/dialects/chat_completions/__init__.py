"""OpenAI's Chat Completions (OpenAI API reference, Chat)."""
