"""python -m tests.support.cat_bot PICTURE: a bot `painter` on `fastapi_poe`, whose picture is at that address.

`writer`, which paints nothing, is listed before it: a client that takes the first model it finds gets no picture.
"""

import sys
from collections.abc import AsyncIterable

import fastapi_poe as fp

from tools.demo_bot import serve

(picture_url,) = sys.argv[1:]


class WriterBot(fp.PoeBot):
    async def get_response(self, request: fp.QueryRequest) -> AsyncIterable[fp.PartialResponse]:
        yield fp.PartialResponse(text="Words, and nothing else.")


class PainterBot(fp.PoeBot):
    """Shows progress first and takes it back, as Poe's image bots do."""

    async def get_response(self, request: fp.QueryRequest) -> AsyncIterable[fp.PartialResponse]:
        for second in range(3):
            yield fp.PartialResponse(text=f"Generating image... ({second}s elapsed)", is_replace_response=True)
        picture = fp.Attachment(url=picture_url, content_type="image/png", name="cat.png", inline_ref="cat1")
        yield fp.PartialResponse(text="![a cat][cat1]", is_replace_response=True, attachment=picture)


if __name__ == "__main__":
    serve([WriterBot(path="/bot/writer"), PainterBot(path="/bot/painter")], 0)
