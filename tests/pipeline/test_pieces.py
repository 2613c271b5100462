from poe2openai.pipeline.pieces import joined
from poe2openai.poe.events import Done, File, PoeEvent, Text

FILE = File("https://x.example/a.png", "image/png", "a.png")


def test_neighbouring_texts_become_one_and_empty_ones_vanish() -> None:
    events: list[PoeEvent] = [Text("a"), Text("b"), FILE, Text(""), FILE, Text("c"), Text(""), Done()]
    assert joined(events) == [Text("ab"), FILE, FILE, Text("c"), Done()]


def test_nothing_is_made_of_nothing() -> None:
    assert joined([]) == []
    assert joined([Text("")]) == []
