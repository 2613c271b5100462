"""A batch knows whose it is, and is a batch like any other."""

from poe2openai.core.choices import ChoiceBatch
from poe2openai.core.events import PartDelta, Started


def test_a_batch_of_a_choice_is_read_as_any_batch_and_says_which_choice_it_is() -> None:
    batch = ChoiceBatch(3, [Started(), PartDelta(0, "a")])
    assert batch == [Started(), PartDelta(0, "a")]
    assert batch.choice == 3
    assert not ChoiceBatch(1)
