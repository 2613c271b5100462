"""What may be asked of embeddings, and the answer in the form that was."""

import pytest

from poe2openai.core.errors import GatewayError
from poe2openai.dialects.embeddings import decode


def test_an_input_is_needed() -> None:
    with pytest.raises(GatewayError, match="'input'"):
        decode(b"{}", default_model="m")
