"""What each client has to be told, as data: docs/clients.md says the same in sentences.

`{address}` is the gateway's, `{base_url}` the same with `/v1`, `{container}` what a container on the gateway's machine
reaches it by, `{key}` and `{model}` are the caller's. Words of the pages stand for what has three languages.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

Dialect = Literal["chat_completions", "responses", "messages"]
Group = Literal["chat_apps", "coding_agents", "libraries"]
Syntax = Literal["sh", "json", "yaml", "toml", "python", "js"]

ROUTES: Final[dict[Dialect, str]] = {
    "chat_completions": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One input of the client's settings; `label` is a word, or else the client's own name for it."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """`title` is a word, or a file's path; empty where there is nothing to say."""

    syntax: Syntax
    code: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Client:
    """`where` and `note` are words of connect.toml."""

    name: str
    group: Group
    where: str = ""
    fields: tuple[Field, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    note: str = ""
    dialect: Dialect = "chat_completions"


def shown(clients: Iterable[Client], routes: Collection[str]) -> list[Client]:
    """Those whose dialect this gateway speaks; `routes` are the paths that it serves."""
    return [client for client in clients if ROUTES[client.dialect] in routes]


_KEY = Field("api_key", "{key}")
_BASE_URL = Field("Base URL", "{base_url}")
_MODEL_ID = Field("Model ID", "{model}")

_OPEN_WEBUI = """\
docker run -d -p 3000:8080 -v open-webui:/app/backend/data \\
  --add-host=host.docker.internal:host-gateway \\
  -e OPENAI_API_BASE_URL={container}/v1 \\
  -e OPENAI_API_KEY={key} \\
  ghcr.io/open-webui/open-webui:main"""

_LOBECHAT = """\
OPENAI_API_KEY={key}
OPENAI_PROXY_URL={container}/v1
OPENAI_MODEL_LIST=-all,+{model}"""

_NEXTCHAT = """\
BASE_URL={container}
OPENAI_API_KEY={key}
CUSTOM_MODELS=+{model}"""

_OPENCODE = """\
{
  "$schema": "https://opencode.ai/config.json",
  "provider": {
    "poe": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Poe",
      "options": { "baseURL": "{base_url}", "apiKey": "{env:POE_API_KEY}" },
      "models": { "{model}": { "name": "{model}" } }
    }
  }
}"""

_QWEN = """\
export OPENAI_BASE_URL={base_url}
export OPENAI_API_KEY={key}
export OPENAI_MODEL={model}
qwen --auth-type openai"""

_AIDER = """\
export OPENAI_API_BASE={base_url}
export OPENAI_API_KEY={key}
aider --model openai/{model}"""

_CONTINUE = """\
name: Poe
version: 1.0.0
schema: v1
models:
  - name: "{model}"
    provider: openai
    model: "{model}"
    apiBase: {base_url}
    apiKey: {key}
    roles: [chat, edit, apply]"""

_CODEX = """\
model = "{model}"
model_provider = "poe"

[model_providers.poe]
name = "Poe"
base_url = "{base_url}"
env_key = "POE_API_KEY"
wire_api = "responses\""""

_CLAUDE_CODE = """\
export ANTHROPIC_BASE_URL={address}
export ANTHROPIC_AUTH_TOKEN={key}
export ANTHROPIC_MODEL={model}
claude"""

_PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base_url}", api_key="{key}")
stream = client.chat.completions.create(
    model="{model}",
    messages=[{"role": "user", "content": "Hello!"}],
    stream=True,
)
for chunk in stream:
    for choice in chunk.choices:
        print(choice.delta.content or "", end="", flush=True)"""

_NODE = """\
import OpenAI from "openai";

const client = new OpenAI({ baseURL: "{base_url}", apiKey: "{key}" });
const answer = await client.chat.completions.create({
  model: "{model}",
  messages: [{ role: "user", content: "Hello!" }],
});
console.log(answer.choices[0].message.content);"""

_VERCEL = """\
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const poe = createOpenAICompatible({
  name: "poe", baseURL: "{base_url}", apiKey: "{key}",
  includeUsage: true, supportsStructuredOutputs: true,
});
const { textStream } = streamText({ model: poe("{model}"), prompt: "Hello!" });
for await (const text of textStream) process.stdout.write(text);"""

_LANGCHAIN = """\
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="{model}", base_url="{base_url}", api_key="{key}",
    stream_usage=True,  # else streams are not counted where there is a `base_url`
)
print(model.invoke("Hello!").content)"""

_LITELLM = """\
import litellm

answer = litellm.completion(
    model="openai/{model}", api_base="{base_url}", api_key="{key}",
    messages=[{"role": "user", "content": "Hello!"}],
)
print(answer.choices[0].message.content)"""

_LLM = """\
- model_id: "poe/{model}"
  model_name: "{model}"
  api_base: {base_url}
  api_key_name: poe
  supports_tools: true
  supports_schema: true"""

_LLM_ASKED = """\
llm keys set poe --value {key}
llm -m poe/{model} "Hello!\""""

_CURL = """\
curl -N {base_url}/chat/completions \\
  -H "Authorization: Bearer {key}" -H "Content-Type: application/json" \\
  -d '{"model": "{model}", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'"""

CLIENTS: Final = (
    Client(
        "Chatbox",
        "chat_apps",
        "where_chatbox",
        (
            Field("api_host", "{address}"),
            Field("api_path", "/v1/chat/completions"),
            _KEY,
            Field("model", "{model}"),
        ),
    ),
    Client(
        "Cherry Studio",
        "chat_apps",
        "where_cherry",
        (_KEY, Field("api_address", "{address}"), Field("model", "{model}")),
        note="note_cherry",
    ),
    Client(
        "LobeChat",
        "chat_apps",
        "where_lobechat",
        (_KEY, Field("proxy_url", "{base_url}"), Field("model", "{model}")),
        (Snippet("sh", _LOBECHAT, "own_server"),),
        note="note_lobechat",
    ),
    Client(
        "Open WebUI",
        "chat_apps",
        "where_openwebui",
        (Field("URL", "{base_url}"), _KEY),
        (Snippet("sh", _OPEN_WEBUI, "with_docker"),),
        note="note_openwebui",
    ),
    Client(
        "NextChat",
        "chat_apps",
        "where_nextchat",
        (Field("endpoint", "{address}"), _KEY, Field("custom_models", "+{model}")),
        (Snippet("sh", _NEXTCHAT, "own_server"),),
        note="note_nextchat",
    ),
    Client(
        "Cline",
        "coding_agents",
        "where_cline",
        (_BASE_URL, _KEY, _MODEL_ID),
        (Snippet("sh", "cline auth -p openai-compatible -k {key} -m {model} -b {base_url}", "in_terminal"),),
    ),
    Client("Roo Code", "coding_agents", "where_cline", (_BASE_URL, _KEY, Field("model", "{model}"))),
    Client("qwen-code", "coding_agents", snippets=(Snippet("sh", _QWEN, "in_terminal"),)),
    Client("aider", "coding_agents", snippets=(Snippet("sh", _AIDER, "in_terminal"),), note="note_aider"),
    Client("Continue", "coding_agents", "where_continue", snippets=(Snippet("yaml", _CONTINUE, "config.yaml"),)),
    Client(
        "opencode",
        "coding_agents",
        "where_opencode",
        snippets=(
            Snippet("json", _OPENCODE, "opencode.json"),
            Snippet("sh", "export POE_API_KEY={key}\nopencode", "in_terminal"),
        ),
    ),
    Client(
        "Codex",
        "coding_agents",
        "where_codex",
        snippets=(
            Snippet("toml", _CODEX, "~/.codex/config.toml"),
            Snippet("sh", "export POE_API_KEY={key}\ncodex", "in_terminal"),
        ),
        dialect="responses",
    ),
    Client("Claude Code", "coding_agents", snippets=(Snippet("sh", _CLAUDE_CODE, "in_terminal"),), dialect="messages"),
    Client("OpenAI SDK · Python", "libraries", "where_python", snippets=(Snippet("python", _PYTHON),)),
    Client("OpenAI SDK · Node", "libraries", "where_node", snippets=(Snippet("js", _NODE),)),
    Client("Vercel AI SDK", "libraries", "where_vercel", snippets=(Snippet("js", _VERCEL),), note="note_vercel"),
    Client("LangChain", "libraries", "where_langchain", snippets=(Snippet("python", _LANGCHAIN),)),
    Client("LiteLLM", "libraries", "where_litellm", snippets=(Snippet("python", _LITELLM),), note="note_litellm"),
    Client(
        "llm",
        "libraries",
        "where_llm",
        snippets=(
            Snippet("yaml", _LLM, "extra-openai-models.yaml"),
            Snippet("sh", _LLM_ASKED, "in_terminal"),
        ),
        note="note_llm",
    ),
    Client("curl", "libraries", snippets=(Snippet("sh", _CURL, "in_terminal"),)),
)
