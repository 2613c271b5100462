"""Clients are called by their names, whatever they say of themselves."""

import openai
import pytest

from poe2openai.web.client_name import LONGEST_NAME, client_name

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"


@pytest.mark.parametrize(
    ("agent", "name"),
    [
        ("OpenAI/Python 3.52.0", "OpenAI Python"),
        ("AsyncOpenAI/Python 3.52.0", "OpenAI Python"),
        ("OpenAI/JS 6.9.1", "OpenAI Node"),
        ("Anthropic/Python 2.11.0", "Anthropic Python"),
        ("Anthropic/JS 0.70.0", "Anthropic Node"),
        ("litellm/1.80.0", "LiteLLM"),
        ("curl/8.14.1", "curl"),
        ("opencode/1.18.3 ai-sdk/provider-utils/3.0.17 runtime/bun/1.3.2", "opencode"),
        ("ai-sdk/openai-compatible/1.0.27 ai-sdk/provider-utils/3.0.17 runtime/node.js/22", "Vercel AI SDK"),
        ("QwenCode/0.24.0 (linux; x64)", "Qwen Code"),
        ("Cline/3.40.0", "Cline"),
        ("RooCode/3.34.0", "Roo Code"),
        ("Kilo-Code/4.120.0", "Kilo Code"),
        ("codex_cli_rs/0.169.0 (Debian 13; x86_64) xterm", "Codex"),
        ("claude-cli/2.1.0 (external, cli)", "Claude Code"),
        ("python-requests/2.33.0", "requests"),
        ("node", "Node.js"),
        (CHROME, "Chrome"),
        (CHROME + " Edg/142.0.0.0", "Edge"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox"),
        (CHROME.replace("Chrome/142.0.0.0", "CherryStudio/1.7.0 Chrome/138.0 Electron/37.6"), "Cherry Studio"),
        ("MyBot/1.0 (+https://x.test)", "MyBot"),
        ("(only a comment)", ""),
        ("", ""),
        ("  ", ""),
    ],
)
def test_by_the_user_agent(agent: str, name: str) -> None:
    assert client_name(("", "", agent)) == name


@pytest.mark.parametrize(
    ("title", "referer", "name"),
    [
        ("Cherry Studio", "https://cherry-ai.com", "Cherry Studio"),
        ("Chatbox AI", "https://chatboxai.app", "Chatbox"),
        ("", "https://web.chatboxai.app/session", "Chatbox"),
        ("Open WebUI", "https://openwebui.com/", "Open WebUI"),
        ("LobeChat", "", "LobeChat"),
        ("", "https://lobehub.com", "LobeChat"),
        ("NextChat", "", "NextChat"),
        ("Roo Code", "https://github.com/RooVetGit/Roo-Cline", "Roo Code"),
        ("Cline", "https://cline.bot", "Cline"),
        ("Aider", "https://aider.chat", "aider"),
        ("opencode", "https://opencode.ai/", "opencode"),
        ("liteLLM", "https://litellm.ai", "LiteLLM"),
        ("", "https://notaider.chat/", "OpenAI Python"),
        ("", "http://[half", "OpenAI Python"),
        ("", "not an address", "OpenAI Python"),
        ("My own tool", "", "My own tool"),
        ("我的工具".encode().decode("latin-1"), "", "我的工具"),
    ],
)
def test_an_application_goes_before_its_library(title: str, referer: str, name: str) -> None:
    assert client_name((title, referer, "OpenAI/Python 3.52.0")) == name


def test_the_sdk_of_today() -> None:
    assert client_name(("", "", openai.OpenAI(api_key="x").user_agent)) == "OpenAI Python"


@pytest.mark.parametrize("said", ["x" * 900, "é" * 900, "a\tb\0c\x1b[31m\u202e" + "d" * 100, "<img src=x>" * 20])
def test_strange_names_are_short_and_printable(said: str) -> None:
    for sender in ((said, "", ""), ("", "", said), ("", said, said)):
        name = client_name(sender)
        assert len(name) <= LONGEST_NAME
        assert name.isprintable()
