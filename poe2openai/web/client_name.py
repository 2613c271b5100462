"""What a client is called, by what it says of itself in its headers."""

import re
from contextlib import suppress
from functools import lru_cache
from urllib.parse import urlsplit

LONGEST_NAME = 64

# Where an application names itself or its site, that is better than the library it happens to use.
_TITLES = (
    ("cherry studio", "Cherry Studio"),
    ("chatbox", "Chatbox"),
    ("open webui", "Open WebUI"),
    ("lobechat", "LobeChat"),
    ("lobehub", "LobeChat"),
    ("nextchat", "NextChat"),
    ("roo code", "Roo Code"),
    ("kilo code", "Kilo Code"),
    ("cline", "Cline"),
    ("aider", "aider"),
    ("opencode", "opencode"),
    ("librechat", "LibreChat"),
    ("sillytavern", "SillyTavern"),
    ("anythingllm", "AnythingLLM"),
    ("litellm", "LiteLLM"),
)
_SITES = (
    ("cherry-ai.com", "Cherry Studio"),
    ("chatboxai.app", "Chatbox"),
    ("chatboxai.com", "Chatbox"),
    ("openwebui.com", "Open WebUI"),
    ("lobehub.com", "LobeChat"),
    ("lobechat.com", "LobeChat"),
    ("nextchat.dev", "NextChat"),
    ("roocode.com", "Roo Code"),
    ("kilocode.ai", "Kilo Code"),
    ("cline.bot", "Cline"),
    ("aider.chat", "aider"),
    ("opencode.ai", "opencode"),
    ("librechat.ai", "LibreChat"),
    ("sillytavern.app", "SillyTavern"),
    ("litellm.ai", "LiteLLM"),
)
# A product of the User-Agent, in the order in which they tell something: an application before its library, and a
# library before what it is written in.
_PRODUCTS = (
    ("cherrystudio", "Cherry Studio"),
    ("chatbox", "Chatbox"),
    ("openwebui", "Open WebUI"),
    ("open-webui", "Open WebUI"),
    ("lobechat", "LobeChat"),
    ("lobehub", "LobeChat"),
    ("nextchat", "NextChat"),
    ("roocode", "Roo Code"),
    ("roo-code", "Roo Code"),
    ("kilo-code", "Kilo Code"),
    ("cline", "Cline"),
    ("aider", "aider"),
    ("opencode", "opencode"),
    ("qwencode", "Qwen Code"),
    ("qwen-code", "Qwen Code"),
    ("codex_cli_rs", "Codex"),
    ("codex", "Codex"),
    ("claude-cli", "Claude Code"),
    ("continue", "Continue"),
    ("promptfoo", "promptfoo"),
    ("litellm", "LiteLLM"),
    ("langchain", "LangChain"),
    ("pydantic-ai", "pydantic-ai"),
    ("asyncopenai", "OpenAI Python"),
    ("openai", "OpenAI Python"),
    ("asyncanthropic", "Anthropic Python"),
    ("anthropic", "Anthropic Python"),
    ("ai-sdk", "Vercel AI SDK"),
    ("curl", "curl"),
    ("wget", "Wget"),
    ("python-requests", "requests"),
    ("python-httpx", "httpx"),
    ("python-urllib", "Python urllib"),
    ("aiohttp", "aiohttp"),
    ("go-http-client", "Go"),
    ("okhttp", "OkHttp"),
    ("postmanruntime", "Postman"),
    ("node-fetch", "Node.js"),
    ("node", "Node.js"),
    ("undici", "Node.js"),
)
_IN_JAVASCRIPT = {"OpenAI Python": "OpenAI Node", "Anthropic Python": "Anthropic Node"}
_COMMENT = re.compile(r"\([^()]*\)")
_BROWSERS = (("edg", "Edge"), ("firefox", "Firefox"), ("chrome", "Chrome"), ("safari", "Safari"))


@lru_cache(512)
def client_name(sender: tuple[str, str, str]) -> str:
    """By X-Title, Referer and User-Agent; "" where nothing is said."""
    title, referer, agent = sender
    return _by_title(title) or _by_site(referer) or _by_agent(agent)


def _by_title(title: str) -> str:
    lowered = title.strip().lower()
    if not lowered:
        return ""
    return next((name for known, name in _TITLES if lowered.startswith(known)), _fit(title))


def _by_site(referer: str) -> str:
    try:
        host = urlsplit(referer).hostname or ""
    except ValueError:
        return ""
    return next((name for site, name in _SITES if host == site or host.endswith("." + site)), "")


def _by_agent(agent: str) -> str:
    products = _COMMENT.sub(" ", agent).split()
    names = [product.partition("/")[0].lower() for product in products]
    for known, name in _PRODUCTS:
        if known in names:
            is_script = name in _IN_JAVASCRIPT and "/js" in agent.lower()
            return _IN_JAVASCRIPT[name] if is_script else name
    if "mozilla" in names:
        return next((name for known, name in _BROWSERS if known in names), "Browser")
    return _fit(products[0].partition("/")[0]) if products else ""


def _fit(name: str) -> str:
    """What can be shown of it; WSGI gives a header's bytes as Latin-1, whatever they are."""
    with suppress(UnicodeError):
        name = name.encode("latin-1").decode()
    return "".join(filter(str.isprintable, name)).strip()[:LONGEST_NAME]
