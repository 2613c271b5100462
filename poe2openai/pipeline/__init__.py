"""Batches of `PoeEvent`s become batches of `AnswerEvent`s: one file, one generator; `order` chains them.

A batch is a list: all events of one socket read. An empty batch is an idle tick (Poe said nothing for a while);
a stage passes it on at once, and a stage that holds events back passes on an empty batch in their place, so that
whoever writes to the client can ping. Closing a generator is the cancellation.
"""
