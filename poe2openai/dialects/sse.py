"""Server-sent events as a gateway writes them (WHATWG HTML, Server-sent events)."""


def frame(data: bytes, event: str | None = None) -> bytes:
    """One event. Line ends of any kind inside `data` start another `data:` line, as a reader joins them with `\\n`."""
    name = b"" if event is None else b"event: %s\n" % event.encode()
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"%sdata: %s\n\n" % (name, data)


def comment(text: str) -> bytes:
    """A line that readers skip: it keeps the connection open and proves that the gateway lives."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "".join(f": {line}\n" for line in lines).encode() + b"\n"
