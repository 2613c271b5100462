"""poe2openai: a gateway between OpenAI clients and Poe's bot protocol."""

__version__ = "1.0.0"
