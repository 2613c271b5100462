"""The pipeline's view of a tokenizer is what the gateway's has."""

from poe2openai.core.tokens import TokenCounter
from poe2openai.gateway.tokens import tokenizer


def test_the_gateways_tokenizer_is_a_counter() -> None:
    counter: TokenCounter = tokenizer()
    assert counter.count("hello world") == 2
    assert counter.truncate("hello world", 1) == "hello"
