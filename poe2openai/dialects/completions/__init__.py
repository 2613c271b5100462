"""OpenAI's legacy Completions (OpenAI API reference, Completions)."""
