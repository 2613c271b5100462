"""Embeddings from a server on loopback."""

from poe2openai.poe.embeddings import EmbeddingsServer


def test_without_a_server_of_its_own_it_is_poe() -> None:
    assert EmbeddingsServer("", poe_base_url="https://api.poe.com").is_poe
