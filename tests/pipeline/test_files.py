import pytest

from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.pipeline.files import link
from poe2openai.poe.events import Done, Error, File, PoeEvent, Text, ToolCallDelta
from tests.support.pipeline import batches_of, cuttings, run, text_of

IMAGE = File("https://x.example/cat.png", "image/png", "cat.png")
SHOWN = "![cat.png](https://x.example/cat.png)"
PAPER = File("https://x.example/paper.pdf", "application/pdf", "paper.pdf")
CALL = ToolCallDelta(0, "call_1", "f", "{}")


def shown(*events: object) -> str:
    """The text of an answer, which has to be the same however its events come."""
    together = text_of(run(link, [[*events, Done()]]))
    assert text_of(run(link, [*([event] for event in events), [], [Done()]])) == together
    return together


def test_a_file_alone_is_the_answer() -> None:
    assert run(link, [[IMAGE], [Done()]]) == [Text(SHOWN), Done()]


def test_pictures_are_shown_and_other_files_linked() -> None:
    assert shown(PAPER) == "[paper.pdf](https://x.example/paper.pdf)"
    assert shown(File("https://x.example/a", "IMAGE/WebP", "a")) == "![a](https://x.example/a)"


def test_a_file_has_a_paragraph_of_its_own() -> None:
    assert shown(Text("Here:"), IMAGE, Text("Nice?")) == f"Here:\n\n{SHOWN}\n\nNice?"
    assert shown(IMAGE, PAPER) == f"{SHOWN}\n\n[paper.pdf](https://x.example/paper.pdf)"


@pytest.mark.parametrize(
    ("before", "between"),
    [("", ""), ("\n", ""), ("a", "\n\n"), ("a\n", "\n"), ("a\n\n", ""), ("a\r\n", "\n"), ("a\n\n\n", "")],
)
def test_a_blank_line_comes_before_a_file_where_text_does(before: str, between: str) -> None:
    assert shown(Text(before), IMAGE) == f"{before}{between}{SHOWN}"


@pytest.mark.parametrize(
    ("between", "after"),
    [("\n\n", "b"), ("\n", "\nb"), ("", "\n\nb"), ("", "\n\n\nb"), ("\n\n", "  b"), ("", "\r\n\r\nb")],
)
def test_a_blank_line_comes_after_a_file_however_the_text_is_cut(between: str, after: str) -> None:
    for pieces in cuttings(after):
        assert text_of(run(link, [[IMAGE], *batches_of(pieces, Done())])) == f"{SHOWN}{between}{after}"


def test_line_breaks_at_the_end_are_kept() -> None:
    assert shown(IMAGE, Text("\n")) == f"{SHOWN}\n"
    assert shown(IMAGE, Text("\n"), PAPER) == f"{SHOWN}\n\n[paper.pdf](https://x.example/paper.pdf)"


def test_a_file_is_shown_once() -> None:
    assert shown(IMAGE, Text("and"), IMAGE) == f"{SHOWN}\n\nand"
    again = File(IMAGE.url, "image/png", "other name.png", ref="r1")
    assert shown(IMAGE, again) == SHOWN


def test_a_file_that_the_text_shows_is_not_shown_again() -> None:
    assert shown(Text("![cat](https://x.exam"), Text("ple/cat.png)"), IMAGE) == "![cat](https://x.example/cat.png)"
    longer = "see https://x.example/cat.png.zip"
    assert shown(Text(longer), IMAGE) == f"{longer}\n\n{SHOWN}"


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("a [1].png", r"a \[1\].png"),
        ("a (1).png", "a (1).png"),
        ("two\nlines\r\n\t.png", "two lines .png"),
        ("back\\slash`<b>", r"back\\slash\`\<b>"),
        ("猫_1.png", "猫_1.png"),
        ("", "image"),
        ("\n", "image"),
    ],
)
def test_names_do_not_break_the_link(name: str, label: str) -> None:
    assert shown(File("https://x.example/a", "image/png", name)) == f"![{label}](https://x.example/a)"


def test_a_file_without_a_name_is_called_file() -> None:
    assert shown(File("https://x.example/a", "text/plain", "")) == "[file](https://x.example/a)"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("https://x.example/a b", "https://x.example/a%20b"),
        ("https://x.example/a(1)", "https://x.example/a%281%29"),
        ("https://x.example/a%20b?c=d&e=[1]#f", "https://x.example/a%20b?c=d&e=[1]#f"),
        ("https://x.example/<a>\\\n", "https://x.example/%3Ca%3E%5C%0A"),
        ("https://x.example/猫\u2028", "https://x.example/猫%E2%80%A8"),
    ],
)
def test_addresses_do_not_break_the_link(url: str, address: str) -> None:
    assert shown(File(url, "text/plain", "a")) == f"[a]({address})"


def test_text_passes_untouched_and_at_once() -> None:
    batches: list[list[PoeEvent]] = [[Text("a")], [], [CALL], [Text("b"), Done()]]
    assert list(link(iter(batches))) == batches


def test_an_error_passes_without_what_was_held() -> None:
    broken = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))
    assert run(link, [[IMAGE], [Text("\n")], [broken]]) == [Text(SHOWN), broken]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![cat][r1]", "![cat](https://x.example/cat.png)"),
        ("A ![][r1] and [the cat][r1].", "A ![](https://x.example/cat.png) and [the cat](https://x.example/cat.png)."),
        ("![cat][r1] [1][2] [x]", "![cat](https://x.example/cat.png) [1][2] [x]"),
    ],
)
def test_references_to_files_that_came_along_are_links(text: str, expected: str) -> None:
    cat = File("https://x.example/cat.png", "image/png", "cat.png", ref="r1")
    assert text_of(run(link, [[Text(text), cat, Done()]])) == expected
    assert text_of(run(link, [[cat, Text(text), Done()]])) == expected


def test_a_file_that_came_along_without_being_referred_to_is_shown() -> None:
    cat = File("https://x.example/cat.png", "image/png", "cat.png", ref="r1")
    assert text_of(run(link, [[Text("[1][2]"), cat, Done()]])) == f"[1][2]\n\n{SHOWN}"
