"""The words of the gateway's own pages in three languages, and the choice between them."""

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

Language = Literal["en", "zh-CN", "zh-TW"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

# What each language calls itself, and in how few letters.
NAMES: Mapping[Language, tuple[str, str]] = {
    "en": ("English", "English"),
    "zh-CN": ("简体中文", "简"),
    "zh-TW": ("繁體中文", "繁"),
}

_TRADITIONAL = ("hant", "tw", "hk", "mo")

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "en": {
        "title": "Any OpenAI client, any Poe bot",
        "running": "Running",
        "models_file_good": "models.yaml in order",
        "models_file_broken": "models.yaml cannot be read: its last good state is in use",
        "poe_answers": "Poe answers",
        "poe_silent": "Poe did not answer last time",
        "poe_not_asked": "Poe not asked yet",
        "details": "Details",
        "connect": "Connect",
        "connect_sub": "Every client needs the same three things.",
        "base_url": "Base URL",
        "base_url_note": "Some clients add /v1 themselves: enter what their card below says.",
        "key": "Key",
        "key_poe": "Your Poe API key",
        "key_token": "An access token of this gateway",
        "key_either": "An access token of this gateway, or your own Poe API key",
        "key_note_poe": "Copy it from poe.com/api/keys.",
        "key_note_token": "The gateway's owner gives it to you.",
        "key_note_either": "Tokens come from the gateway's owner, Poe keys from poe.com/api/keys.",
        "model": "Model",
        "model_note": "Any Poe bot by its name, in upper or lower case. All of them:",
        "try": "Try it",
        "try_sub": "In a terminal, with your key in place of YOUR_KEY.",
        "hello": "Hello!",
        "clients": "Clients",
        "clients_sub": "More of them in docs/clients.md.",
        "chatbox_where": "Settings → Model Provider → Add, OpenAI API Compatible",
        "cherry_where": "Settings → Model Provider → Add, type OpenAI",
        "openwebui_where": "Admin Panel → Settings → Connections → OpenAI API → +",
        "cline_where": "Settings → API Provider: OpenAI Compatible",
        "python_where": "pip install openai",
        "api_host": "API Host",
        "api_address": "API Host",
        "url": "URL",
        "model_id": "Model ID",
        "api_key": "API Key",
        "openwebui_note": "From inside a container, localhost is the container: use host.docker.internal.",
        "documents": "In the project's folder",
        "documents_clients": "settings for every client",
        "documents_configuration": "environment variables",
        "documents_models": "renaming, hiding and adding models",
        "documents_api": "what the API takes and gives",
        "documents_deployment": "Docker, nginx, systemd",
        "copy_label": "Copy",
        "copied_label": "Copied",
        "language": "Language",
        "admin": "Admin pages",
    },
    "zh-CN": {
        "title": "用任何 OpenAI 客户端，和任何 Poe 机器人对话",
        "running": "运行中",
        "models_file_good": "models.yaml 正常",
        "models_file_broken": "models.yaml 无法读取，正在使用上一份可用的配置",
        "poe_answers": "Poe 连接正常",
        "poe_silent": "上次请求 Poe 没有回应",
        "poe_not_asked": "尚未请求过 Poe",
        "details": "详情",
        "connect": "接入",
        "connect_sub": "无论哪个客户端，都只需要填这三项。",
        "base_url": "接口地址",
        "base_url_note": "有些客户端会自动补上 /v1，请以下方各自的卡片为准。",
        "key": "密钥",
        "key_poe": "你的 Poe API 密钥",
        "key_token": "本网关的访问令牌",
        "key_either": "本网关的访问令牌，或你自己的 Poe API 密钥",
        "key_note_poe": "在 poe.com/api/keys 复制。",
        "key_note_token": "向网关的管理者索取。",
        "key_note_either": "令牌向网关的管理者索取，Poe 密钥在 poe.com/api/keys 复制。",
        "model": "模型",
        "model_note": "直接填 Poe 机器人的名字，不区分大小写。完整列表：",
        "try": "试一试",
        "try_sub": "在终端里运行，把 YOUR_KEY 换成你的密钥。",
        "hello": "你好！",
        "clients": "客户端",
        "clients_sub": "更多客户端见 docs/clients.md。",
        "chatbox_where": "设置 → 模型提供方 → 添加，选 OpenAI API 兼容",
        "cherry_where": "设置 → 模型服务 → 添加，类型选 OpenAI",
        "openwebui_where": "管理员面板 → 设置 → 外部连接 → OpenAI API → +",
        "cline_where": "Settings → API Provider 选 OpenAI Compatible",
        "python_where": "pip install openai",
        "api_host": "API 主机",
        "api_address": "API 地址",
        "url": "URL",
        "model_id": "Model ID",
        "api_key": "API 密钥",
        "openwebui_note": "在容器里 localhost 指的是容器自己，请改用 host.docker.internal。",
        "documents": "项目目录里的文档",
        "documents_clients": "各个客户端的设置",
        "documents_configuration": "环境变量",
        "documents_models": "给模型改名、隐藏、增加",
        "documents_api": "接口接受什么、返回什么",
        "documents_deployment": "Docker、nginx、systemd",
        "copy_label": "复制",
        "copied_label": "已复制",
        "language": "语言",
        "admin": "管理页面",
    },
    "zh-TW": {
        "title": "用任何 OpenAI 用戶端，和任何 Poe 機器人對話",
        "running": "執行中",
        "models_file_good": "models.yaml 正常",
        "models_file_broken": "models.yaml 無法讀取，沿用上一份可用的設定",
        "poe_answers": "Poe 連線正常",
        "poe_silent": "上次向 Poe 發出的請求沒有回應",
        "poe_not_asked": "還沒有向 Poe 發過請求",
        "details": "詳細資訊",
        "connect": "連線設定",
        "connect_sub": "不管用哪一個用戶端，要填的都是這三項。",
        "base_url": "API 網址",
        "base_url_note": "有些用戶端會自動加上 /v1，請以下方各自的卡片為準。",
        "key": "金鑰",
        "key_poe": "你的 Poe API 金鑰",
        "key_token": "本閘道的存取權杖",
        "key_either": "本閘道的存取權杖，或你自己的 Poe API 金鑰",
        "key_note_poe": "到 poe.com/api/keys 複製。",
        "key_note_token": "請向閘道的管理者索取。",
        "key_note_either": "權杖請向閘道的管理者索取，Poe 金鑰到 poe.com/api/keys 複製。",
        "model": "模型",
        "model_note": "直接填 Poe 機器人的名稱，大小寫皆可。完整清單：",
        "try": "試試看",
        "try_sub": "在終端機執行，並把 YOUR_KEY 換成你的金鑰。",
        "hello": "你好！",
        "clients": "用戶端",
        "clients_sub": "其他用戶端請見 docs/clients.md。",
        "chatbox_where": "設定 → 模型提供方 → 添加，選擇 OpenAI API 兼容",
        "cherry_where": "設定 → 模型提供者 → 新增，類型選 OpenAI",
        "openwebui_where": "管理員控制台 → 設定 → 連線 → OpenAI API → +",
        "cline_where": "Settings → API Provider 選 OpenAI Compatible",
        "python_where": "pip install openai",
        "api_host": "API 主機",
        "api_address": "API 主機位址",
        "url": "URL",
        "model_id": "Model ID",
        "api_key": "API 金鑰",
        "openwebui_note": "在容器內，localhost 是容器本身，請改用 host.docker.internal。",
        "documents": "專案資料夾裡的文件",
        "documents_clients": "各種用戶端的設定",
        "documents_configuration": "環境變數",
        "documents_models": "模型的改名、隱藏與新增",
        "documents_api": "API 接受什麼、回傳什麼",
        "documents_deployment": "Docker、nginx、systemd",
        "copy_label": "複製",
        "copied_label": "已複製",
        "language": "語言",
        "admin": "管理頁面",
    },
}


def choose(asked: str | None, accepted: Iterable[str]) -> Language:
    """The language of a page: the one asked for by name, else the first of the browser's that is here, else English."""
    for tag in (asked or "", *accepted):
        if language := _language(tag):
            return language
    return "en"


def _language(tag: str) -> Language | None:
    """`zh-Hant-HK` and `zh-TW` are traditional; every other Chinese is simplified."""
    first, *rest = tag.lower().replace("_", "-").split("-")
    if first == "en":
        return "en"
    if first == "zh":
        return "zh-TW" if "hans" not in rest and any(part in _TRADITIONAL for part in rest) else "zh-CN"
    return None
