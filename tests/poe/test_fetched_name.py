"""Names and types of fetched files, as servers write them."""

import pytest

from poe2openai.poe.fetched_name import MAX_NAME, file_name, media_type
from poe2openai.poe.http1 import ResponseHead


def head(**headers: str) -> ResponseHead:
    return ResponseHead(200, "OK", [(name.replace("_", "-").title(), value) for name, value in headers.items()], True)


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ("inline", "path.png"),
        ("attachment; filename=cat.png", "cat.png"),
        ("attachment; filename=my cat.png ; size=1", "my cat.png"),
        ('attachment; FileName="a \\"fine\\"; cat, too.png"', 'a "fine"; cat, too.png'),
        ("attachment; filename*=UTF-8''%e7%8c%ab.png; filename=cat.png", "猫.png"),
        ("attachment; filename=cat.png; filename*=utf-8'zh'%e7%8c%ab.png", "猫.png"),
        ("attachment; filename*=iso-8859-1''%fc.png", "ü.png"),
        ("attachment; filename*=UTF-16''%fe; filename=cat.png", "cat.png"),
        ("attachment; filename*=UTF-8''; filename=cat.png", "cat.png"),
        ("attachment; filename*=UTF-8''%ff", "\ufffd"),
        ('attachment; filename="ç\u008c«.png"', "猫.png"),
        ('attachment; filename="\xfc.png"', "ü.png"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\Windows\\\\x.png"', "x.png"),
        ("attachment; filename*=UTF-8''..%2f..%5cx.png", "x.png"),
        ("attachment; filename*=UTF-8''a%0d%0a%00%e2%80%aegnp.exe", "agnp.exe"),
        ('attachment; filename=".."', "path.png"),
        ('attachment; filename="', "path.png"),
        (f"attachment; filename={'x' * 500}.png", f"{'x' * (MAX_NAME - 4)}.png"),
    ],
)
def test_the_servers_name(disposition: str, name: str) -> None:
    assert file_name(head(content_disposition=disposition), "/some/path.png?x=/y.gif") == name


@pytest.mark.parametrize(
    ("target", "name"),
    [("/", None), ("/a/", None), ("/a/b%20c.png?d=/e", "b c.png"), ("/a%2Fb.png", "b.png"), ("/..", None)],
)
def test_a_path_names_what_the_server_does_not(target: str, name: str | None) -> None:
    assert file_name(head(), target) == name


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("image/PNG", "image/png"),
        ("text/html; charset=utf-8", "text/html"),
        ("image/svg+xml;", "image/svg+xml"),
        ("", None),
        ("png", None),
        ("image/png, text/html", None),
        ("text/h\xfcml", None),
    ],
)
def test_the_media_type_is_without_parameters(header: str, kind: str | None) -> None:
    assert media_type(head(content_type=header)) == kind


def test_no_header_is_no_type() -> None:
    assert media_type(head()) is None
