"""A legacy Completions body → requests to a chat bot (OpenAI API reference, Completions)."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from poe2openai.core.content import put_back
from poe2openai.core.errors import ErrorKind, GatewayError
from poe2openai.core.request import Message, ModelRequest, Sampling, Text
from poe2openai.dialects.chat_completions.options import take_reasoning
from poe2openai.dialects.chat_completions.schema import MAX_STOPS, MAX_TOKENS, Options, StreamOptions, Whole
from poe2openai.dialects.json_body import parse_object, require_shallow
from poe2openai.dialects.media import NOTHING_LIFTED, Lifted
from poe2openai.dialects.validation import validate

MAX_ANSWERS = 32
"""Of all prompts together: each is a query of its own."""
MAX_UNKNOWN = 1_000

# Poe's bots answer messages. The words serve both those who give a text to go on with and those who just ask.
_CONTINUE = (
    "You complete texts. If the user's message is the beginning of a text, write only what comes next, without "
    "repeating any of it. If it is a question or an instruction, answer it directly. No preamble, no explanation."
)
_FILL_IN = (
    "You fill in the missing part of a text. The user gives what stands before it and what stands behind it. Write "
    "only what belongs in between, so that the three read as one. No preamble, no explanation, no code fence, and no "
    "repetition of what is already there."
)
_SAMPLING_OPTIONS = ("seed", "top_p", "frequency_penalty", "presence_penalty")


class CompletionBody(BaseModel):
    model_config = ConfigDict(extra="allow")

    model: Annotated[str, Field(min_length=1, max_length=512)]
    prompt: Any = None
    suffix: str | None = None
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[Whole, Field(ge=1, le=MAX_ANSWERS)] | None = None
    best_of: Whole | None = None
    max_tokens: Annotated[Whole, Field(gt=0, le=MAX_TOKENS)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    stop: str | Annotated[list[str], Field(max_length=MAX_STOPS, fail_fast=True)] | None = None
    logit_bias: dict[str, Annotated[float, Field(ge=-100, le=100)]] | None = None
    logprobs: Whole | None = None
    seed: Whole | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    user: str | None = None
    extra_body: Options | None = None


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One request for each answer, and what each answer's text begins with (`echo`)."""

    requests: tuple[ModelRequest, ...]
    beginnings: tuple[str, ...]


def decode(body: bytes, *, default_model: str = "", lifted: Lifted = NOTHING_LIFTED) -> CompletionRequest:
    """Raises `GatewayError(INVALID_REQUEST)`, its `param` naming the place in the body.

    `lifted` was taken out of the body before.
    """
    parsed = parse_object(body)
    if default_model and not parsed.get("model"):
        parsed["model"] = default_model
    fields = validate(CompletionBody, parsed)
    extra = _extra(fields)
    prompts = [put_back(prompt.encode(), lifted).decode() for prompt in _prompts(fields.prompt)]
    choices = fields.n or 1
    if len(prompts) * choices > MAX_ANSWERS:
        param = "prompt" if choices == 1 else "n"
        raise _invalid(f"At most {MAX_ANSWERS} answers are given at once: prompts times 'n'.", param)
    shared: dict[str, Any] = {
        "sampling": _sampling(fields),
        "reasoning": take_reasoning(None, extra),
        "stop": _stop(fields.stop),
        "max_tokens": fields.max_tokens,
        "stream": fields.stream is True,
        "include_usage": (fields.stream_options or {}).get("include_usage") is True,
        "extra": extra,
        "lifted": lifted,
    }
    each = [ModelRequest(fields.model, _messages(prompt, fields.suffix), **shared) for prompt in prompts]
    return CompletionRequest(
        tuple(request for request in each for _ in range(choices)),
        tuple(prompt if fields.echo else "" for prompt in prompts for _ in range(choices)),
    )


def _prompts(prompt: Any) -> list[str]:
    if prompt is None:
        raise _invalid("Missing required parameter: 'prompt'.", "prompt")
    if not isinstance(prompt, str | list):
        raise _invalid("Invalid type for 'prompt': expected a string or a list of strings.", "prompt")
    prompts = [prompt] if isinstance(prompt, str) else prompt
    if not prompts:
        raise _invalid("Invalid value for 'prompt': it holds no prompt.", "prompt")
    for index, one in enumerate(prompts):
        if not isinstance(one, str):
            place = f"prompt[{index}]"
            raise _invalid(
                f"Invalid type for '{place}': expected a string; lists of tokens cannot be read here.", place
            )
    return prompts


def _messages(prompt: str, suffix: str | None) -> tuple[Message, ...]:
    if suffix:
        asked = f"<before>{prompt}</before>\n<behind>{suffix}</behind>"
        return (Message("system", (Text(_FILL_IN),)), Message("user", (Text(asked),)))
    # An empty prompt asks for any text at all.
    return (Message("system", (Text(_CONTINUE),)), Message("user", (Text(prompt or "Write a text."),)))


def _sampling(fields: CompletionBody) -> Sampling:
    others = {name: value for name in _SAMPLING_OPTIONS if (value := getattr(fields, name)) is not None}
    return Sampling(fields.temperature, fields.logit_bias, others)


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    sequences = [stop] if isinstance(stop, str) else stop or []
    return tuple(dict.fromkeys(filter(None, sequences)))


def _extra(fields: CompletionBody) -> dict[str, Any]:
    extra = {**(fields.extra_body or {}), **(fields.model_extra or {})}
    if len(extra) > MAX_UNKNOWN:
        raise _invalid(f"Too many unknown parameters: at most {MAX_UNKNOWN} are taken.", "")
    require_shallow(list(extra.items()))
    return {name: value for name, value in extra.items() if value is not None}


def _invalid(message: str, param: str) -> GatewayError:
    return GatewayError(ErrorKind.INVALID_REQUEST, message, param=param or None)
