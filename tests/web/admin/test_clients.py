"""The clients' settings are whole: words in three languages, known placeholders, and the facts of docs/clients.md."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from poe2openai.web.admin.clients import CLIENTS, ROUTES, Client, shown
from poe2openai.web.i18n import LANGUAGES, Language
from poe2openai.web.words import words

DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "clients.md").read_text("utf-8")
CHAT = ROUTES["chat_completions"]
VALUES = {
    "address": "http://localhost:8080",
    "base_url": "http://localhost:8080/v1",
    "container": "http://host.docker.internal:8080",
    "key": "YOUR_KEY",
}

every_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


def texts(client: Client) -> list[str]:
    return [*(field.value for field in client.fields), *(snippet.code for snippet in client.snippets)]


def filled(template: str, model: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda found: {**VALUES, "model": model}.get(found[1], found[0]), template)


def test_all_that_were_promised_are_there() -> None:
    names = {client.name for client in shown(CLIENTS, {CHAT})}
    assert names == {
        *("Chatbox", "Cherry Studio", "LobeChat", "Open WebUI", "NextChat"),
        *("Cline", "Roo Code", "Continue", "opencode", "qwen-code", "aider"),
        *("OpenAI SDK · Python", "OpenAI SDK · Node", "Vercel AI SDK", "LangChain", "LiteLLM", "llm", "curl"),
    }


def test_none_of_the_document_is_missing() -> None:
    chapters = DOCUMENT[DOCUMENT.index("## Chat apps") : DOCUMENT.index("## What all of them share")]
    names = {name.lower() for name in re.findall(r"^### (.+)$", chapters, re.MULTILINE)}
    known = {client.name.lower().replace("openai sdk · ", "openai for ").replace("-", " ") for client in CLIENTS}
    assert {name for name in names if not any(name in one or one in name for one in known)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_runs_in_a_container_is_told_how_to_leave_it_on_linux(language: Language) -> None:
    option = "--add-host=host.docker.internal:host-gateway"
    for client in CLIENTS:
        if any("{container}" in text for text in texts(client)):
            note = words("connect", language)[client.note]
            assert option in note or any(option in text for text in texts(client)), client.name


def test_codex_and_claude_code_come_with_their_dialects() -> None:
    without = {client.name for client in shown(CLIENTS, {CHAT})}
    assert {client.name for client in shown(CLIENTS, {CHAT, "/v1/responses"})} - without == {"Codex"}
    assert {client.name for client in shown(CLIENTS, {CHAT, "/v1/messages"})} - without == {"Claude Code"}
    assert shown(CLIENTS, set()) == []


@every_client
def test_each_says_something_that_can_be_copied(client: Client) -> None:
    assert client.fields or client.snippets
    assert any("{base_url}" in text or "{address}" in text for text in texts(client))
    # Open WebUI reads the list of models by itself.
    assert client.name == "Open WebUI" or any("{model}" in text for text in texts(client))


@every_client
def test_its_words_are_there_in_all_languages(client: Client) -> None:
    for language in LANGUAGES:
        known = words("connect", language)
        assert client.group in known
        assert all(word in known for word in (client.where, client.note) if word)
        for label in (*(field.label for field in client.fields), *(snippet.title for snippet in client.snippets)):
            assert label in known or not re.fullmatch(r"[a-z]+_[a-z_]+", label), f"{label} is no word of connect.toml"


@every_client
def test_no_placeholder_is_misspelt(client: Client) -> None:
    for text in texts(client):
        assert set(re.findall(r"\{(\w+)\}", text)) <= {"address", "base_url", "container", "key", "model"}


@every_client
def test_what_has_a_syntax_keeps_to_it(client: Client) -> None:
    for snippet in client.snippets:
        code = filled(snippet.code, "gpt-5.4-mini")
        match snippet.syntax:
            case "json":
                json.loads(code)
            case "toml":
                tomllib.loads(code)
            case "yaml":
                assert "gpt-5.4-mini" in str(YAML(typ="safe").load(code))
            case "python":
                compile(code, client.name, "exec")


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("qwen-code", "gpt-5.4-mini"),
        ("aider", "claude-sonnet-4.5"),
        ("opencode", "claude-sonnet-4.5"),
        ("curl", "gpt-5.4-mini"),
        ("llm", "gpt-5.4-mini"),
        ("Continue", "claude-sonnet-4.5"),
        ("Vercel AI SDK", "gpt-5.4-mini"),
        ("Cline", "claude-sonnet-4.5"),
        ("Open WebUI", "gpt-5.4-mini"),
    ],
)
def test_snippets_are_those_of_the_document(name: str, model: str) -> None:
    client = next(client for client in CLIENTS if client.name == name)
    code = filled(client.snippets[0].code, model)
    if name == "opencode":
        code = code.replace(f'"name": "{model}"', '"name": "Claude Sonnet 4.5"')
    elif client.snippets[0].syntax == "yaml":  # in quotes, as any name may be chosen
        code = code.replace(f'name: "{model}"\n    provider', "name: Claude Sonnet 4.5\n    provider").replace('"', "")
    assert code in DOCUMENT


@pytest.mark.parametrize(
    ("name", "label", "value"),
    [
        ("Chatbox", "api_host", "http://localhost:8080"),
        ("Cherry Studio", "api_address", "http://localhost:8080"),
        ("NextChat", "endpoint", "http://localhost:8080"),
        ("LobeChat", "proxy_url", "http://localhost:8080/v1"),
        ("Open WebUI", "URL", "http://localhost:8080/v1"),
        ("Cline", "Base URL", "http://localhost:8080/v1"),
        ("Roo Code", "Base URL", "http://localhost:8080/v1"),
    ],
)
def test_each_is_given_the_address_that_it_wants(name: str, label: str, value: str) -> None:
    """Whoever adds `/v1` must not be given it."""
    client = next(client for client in CLIENTS if client.name == name)
    (field,) = [field for field in client.fields if field.label == label]
    assert filled(field.value, "") == value
