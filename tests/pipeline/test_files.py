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


def test_a_file_without_a_reference_has_a_paragraph_of_its_own_behind_the_text() -> None:
    assert shown(Text("Here:"), IMAGE, Text(" nice?")) == f"Here: nice?\n\n{SHOWN}"
    assert shown(IMAGE, PAPER) == f"{SHOWN}\n\n[paper.pdf](https://x.example/paper.pdf)"


@pytest.mark.parametrize(
    ("before", "between"),
    [("", ""), ("\n", ""), ("a", "\n\n"), ("a\n", "\n"), ("a\n\n", ""), ("a\r\n", "\n"), ("a\n\n\n", "")],
)
def test_a_blank_line_comes_before_a_file_where_text_does(before: str, between: str) -> None:
    assert shown(Text(before), IMAGE) == f"{before}{between}{SHOWN}"


def test_a_file_is_shown_once() -> None:
    assert shown(IMAGE, Text("and"), IMAGE) == f"and\n\n{SHOWN}"
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


def test_what_was_held_comes_before_an_error() -> None:
    broken = Error(GatewayError(ErrorKind.UPSTREAM_ERROR, "gone"))
    assert run(link, [[IMAGE], [Text("a ![x]")], [broken]]) == [Text(f"a ![x]\n\n{SHOWN}"), broken]


CAT = File("https://x.example/cat.png", "image/png", "cat.png", ref="r1")
PLACED = "![a cat](https://x.example/cat.png)"


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


@pytest.mark.parametrize("files_first", [True, False])
def test_a_picture_is_at_its_place_however_its_reference_is_cut(files_first: bool) -> None:
    text = "see ![a cat][r1], *nice*"
    for pieces in cuttings(text):
        texts = [[Text(piece)] for piece in pieces]
        batches = [[CAT], *texts, [Done()]] if files_first else [*texts, [CAT], [Done()]]
        assert text_of(run(link, batches)) == f"see {PLACED}, *nice*"


def test_the_text_before_a_reference_is_not_held() -> None:
    batches = list(link(iter([[Text("see ")], [Text("this ![a c")], [Text("at][r1] now")], [CAT], [Done()]])))
    assert batches[:2] == [[Text("see ")], [Text("this ")]]
    assert batches[3] == [Text(f"{PLACED} now")]


def test_text_goes_on_where_the_file_of_a_reference_does_not_come() -> None:
    long = "x" * 1500
    batches = list(link(iter([[Text(f"![a cat][r1] {long}")], [Text(long)], [Text("more")], [CAT], [Done()]])))
    assert batches[:3] == [[], [Text(f"![a cat][r1] {long}{long}")], [Text("more")]]
    assert batches[3:] == [[], [Text("\n\n[r1]: https://x.example/cat.png"), Done()]]


def test_a_link_to_a_file_that_comes_later_is_given_its_address_at_the_end() -> None:
    paper = File("https://x.example/paper.pdf", "application/pdf", "paper.pdf", ref="p")
    said = [[Text("read [the paper][p]")], [Text(" now")], [paper], [Done()]]
    assert text_of(run(link, said)) == "read [the paper][p] now\n\n[p]: https://x.example/paper.pdf"
    assert text_of(run(link, [[paper], *said])) == "read [the paper](https://x.example/paper.pdf) now"


def test_sounds_and_films_are_links() -> None:
    film = File("https://x.example/a.mp4", "video/mp4", "a.mp4", ref="v")
    assert text_of(run(link, [[film], [Text("![watch][v]")], [Done()]])) == "[watch](https://x.example/a.mp4)"
    assert text_of(run(link, [[film], [Text("![][v]")], [Done()]])) == "[a.mp4](https://x.example/a.mp4)"


@pytest.mark.parametrize(
    "text", ["matrix[i][j] = ![k]", "[1][2]", "![", "!", "a![b", "![a][", "![a](b)", "[x]", "![x][]"]
)
def test_brackets_that_are_no_references_stay_whole(text: str) -> None:
    for pieces in cuttings(text):
        assert text_of(run(link, batches_of(pieces, Done()))) == text
        assert text_of(run(link, [[CAT], *batches_of(pieces, Done())])) == f"{text}\n\n{SHOWN}"


def test_text_with_brackets_flows_where_no_file_came() -> None:
    batches: list[list[PoeEvent]] = [[Text("a[")], [Text("i][")], [Text("j] and [docs](x")], [Done()]]
    assert list(link(iter(batches))) == batches


def test_a_data_url_is_never_put_into_the_text() -> None:
    inline = File("data:image/png;base64,AAAA", "image/png", "cat.png", ref="r1")
    assert shown(inline) == "[cat.png]"
    assert text_of(run(link, [[inline], [Text("![a cat][r1]")], [Done()]])) == "[a cat]"


def test_each_file_is_told_once() -> None:
    told: list[File] = []
    list(link(iter([[CAT, PAPER], [Text("![a cat][r1]")], [IMAGE], [Done()]]), told.append))
    assert told == [CAT, PAPER]


def test_held_text_costs_no_more_than_its_length() -> None:
    """A hundred thousand pictures whose files never come, letter by letter."""
    text = "![a][b]" * 3000
    assert text_of(run(link, [*([Text(letter)] for letter in text), [Done()]])) == text
