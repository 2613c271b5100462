import pytest

from poe2openai.pipeline.again import AskAgain


def test_it_carries_what_was_said_and_what_to_say_to_that() -> None:
    with pytest.raises(AskAgain) as raised:
        raise AskAgain("I would rather not.", "Call a tool.")
    assert (raised.value.said, raised.value.demand) == ("I would rather not.", "Call a tool.")
