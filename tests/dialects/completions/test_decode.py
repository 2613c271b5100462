"""A legacy Completions body becomes requests to a chat bot."""

import orjson
import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.dialects.completions.decode import decode


@pytest.mark.parametrize("prompt", [[1, 2, 3], [[1, 2], [3]], list(range(200))])
def test_tokens_cannot_be_read_here(prompt: object) -> None:
    with pytest.raises(GatewayError, match="tokens cannot be read here") as caught:
        decode(orjson.dumps({"model": "bot", "prompt": prompt}))
    assert (caught.value.kind, caught.value.param) == (ErrorKind.INVALID_REQUEST, "prompt[0]")
