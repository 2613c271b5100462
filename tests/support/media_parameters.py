"""What Poe's makers of pictures, films and speech declare, as its public list tells: one bot of each kind that differs.

Of long lists of voices a few stand for all; parameters that no word of OpenAI's speaks of are left out.
"""

from typing import Any

from poe2openai.poe.parameters import Declared

FIVE = "16:9 4:3 1:1 3:4 9:16"
THREE = "16:9 1:1 9:16"
TEN = "1:1 2:3 3:2 3:4 4:3 4:5 5:4 9:16 16:9 21:9"
LINES = "480p 720p 1080p"
GROK = "2:1 20:9 19.5:9 16:9 4:3 3:2 1:1 2:3 3:4 9:16 9:19.5 9:20 1:2"
IDEOGRAM_3 = "1:3 3:1 1:2 2:1 9:16 16:9 10:16 16:10 2:3 3:2 3:4 4:3 4:5 5:4 1:1"
NOVA = "1:1 3:4 2:3 9:16 1:2 1:3 1:4 4:3 3:2 16:9 2:1 3:1 4:1"
QWEN_SIZES = "512*512 768*768 1024*1024 1280*1280 1536*1536 1024*768 768*1024 1280*720 720*1280 1536*1024 1024*1536"
SORA_PRO = "1280x720 720x1280 1792x1024 1024x1792 1920x1080 1080x1920"


def of(choices: str) -> dict[str, Any]:
    return {"enum": choices.split()}


def number(least: float, most: float) -> dict[str, Any]:
    return {"type": "number", "minimum": least, "maximum": most}


PICTURE_BOTS: dict[str, Declared] = {
    "nano-banana": {"aspect_ratio": of(TEN)},
    "nano-banana-2": {"aspect_ratio": of(TEN), "image_size": of("1K 2K 4K")},
    "grok-imagine-image": {"aspect": of(GROK)},
    "seedream-5.0-lite": {"aspect": of(FIVE)},
    "imagen-4-ultra": {"aspect_ratio": of(FIVE)},
    "flux-pro-1.1-ultra": {"aspect": of(f"{FIVE} 21:9 9:21")},
    "gpt-image-1.5": {"aspect": of("1:1 3:2 2:3"), "quality": of("low medium high"), "use_mask": {"type": "boolean"}},
    "qwen-image-2.0": {"aspect_ratio": of("16:9 9:16 1:1 3:2 2:3 4:3 3:4 5:4 4:5"), "num_images": number(1, 6)},
    "hunyuan-image-3": {
        "size": of("1024x1024 768x1024 1024x768 1024x1536 1536x1024 512x512"),
        "num_images": number(1, 4),
    },
    "kling-image-o1": {"aspect": of(f"{FIVE} 21:9 auto"), "resolution": of("1K 2K")},
    "amazon-nova-canvas": {
        "aspect_ratio": of(NOVA),
        "number_of_images": number(1, 5),
        "quality": of("standard premium"),
    },
    "phoenix-1.0": {"aspect": of("1:1 2:3 3:2 16:9 9:16")},
    "qwen-image": {"size": of(QWEN_SIZES)},
    "ideogram-v3": {"aspect": of(IDEOGRAM_3)},
    "ideogram-v2": {"aspect": of("16:9 16:10 3:2 4:3 1:1 9:16 10:16 2:3 3:4")},
    "flux-dev-di": {"width": number(128, 1920), "height": number(128, 1920)},
    "retro-diffusion-core": {"width": {"type": "string"}, "height": {"type": "string"}},
    "dall-e-3": {"aspect": of("1:1 7:4 4:7")},
    "stablediffusionxl": {"aspect": of("12:5 19:13 9:7 7:4 1:1 4:7 7:9 13:19 5:12")},
    "says-nothing-of-it": {"style": of("general anime"), "seed": number(0, 10**6)},
}

FILM_BOTS: dict[str, Declared] = {
    "veo-3.1-lite": {"aspect_ratio": of("16:9 9:16"), "duration": of("4 6 8"), "resolution": of("720p 1080p")},
    "veo-v3.1": {"aspect": of("16:9 9:16"), "duration": of("4s 6s 8s"), "resolution": of("720p 1080p")},
    "veo-2": {"aspect_ratio": of("16:9 9:16"), "duration": of("5 6 7 8")},
    "ray2": {
        "aspect_ratio": of("16:9 21:9 4:3 1:1 9:16 3:4 9:21"),
        "duration": of("5s 9s"),
        "resolution": of("540p 720p 1080p 4k"),
    },
    "grok-imagine-video": {
        "aspect": of("16:9 4:3 3:2 1:1 2:3 3:4 9:16"),
        "duration": number(1, 8),
        "resolution": of("auto 480p 720p"),
    },
    "runway-gen-4.5": {"aspect_ratio": of("16:9 9:16 1:1 4:3 3:4 21:9"), "duration": of("5 8 10")},
    "pixverse-v5.6": {"aspect_ratio": of(FIVE), "duration": of("5 8 10"), "resolution": of("360p 540p 720p 1080p")},
    "moss-video-and-audio": {
        "aspect_ratio": of("landscape portrait"),
        "duration": number(2, 8),
        "resolution": of("360p 720p"),
    },
    "kling-v3-pro": {"aspect": of(THREE), "duration": of("3 4 5 6 7 8 9 10 11 12 13 14 15")},
    "kling-o3": {"aspect_ratio": of(THREE), "duration": number(3, 15)},
    "kling-omni": {"duration": of("5 10")},
    "amazon-nova-reel-1.1": {"dimension": of("1280x720"), "duration": number(6, 120)},
    "svi-2.0-pro": {"resolution": of("832x480 480x832 720x1280 1280x720"), "duration": number(18, 40.5)},
    "hunyuan-video-1.5": {"aspect_ratio": of(FIVE), "duration": number(1, 5), "resolution": of(LINES)},
    "seedance-1.0-pro": {
        "aspect": of(f"21:9 {FIVE}"),
        "duration": of("3 4 5 6 7 8 9 10 11 12"),
        "resolution": of(LINES),
    },
    "sora-2": {"size": of("1280x720 720x1280"), "duration": of("4 8 12 16 20")},
    "sora-2-pro": {"size": of(SORA_PRO), "duration": of("4 8 12 16 20")},
    "wan-2.6": {"aspect_ratio": of(FIVE), "duration": number(5, 15), "resolution": of("720p 1080p")},
    "wan-2.5": {"aspect": of(THREE), "duration": of("5 10"), "resolution": of(LINES)},
    "wan-2.2": {"aspect": of(THREE)},
    "ltx-2-fast": {"duration": of("6 8 10"), "resolution": of("1080p 1440p 2160p")},
}

SPEECH_BOTS: dict[str, Declared] = {
    "minimax-speech-2.8": {
        "voice_id": {"enum": ["Chinese (Mandarin)_Lyrical_Voice", "English_Graceful_Lady", "English_radiant_girl"]},
        "format": of("mp3 flac wav pcm"),
        "speed": of("0.5 0.75 1.0 1.25 1.5 1.75 2.0"),
    },
    "hailuo-speech-02": {"voice": of("Wise_Woman Casual_Guy Sweet_Girl_2"), "speed": number(0.5, 2)},
    "sonic-3.0": {"voice": {"enum": ["ariana", "brandon", "brooke - big sister"]}},
    "gemini-2.5-flash-tts": {
        "voice": of("Zephyr Puck Charon"),
        "output_format": of("MP3 WAV OGG"),
        "style_prompt": {"type": "string"},
    },
    "orpheus-tts": {"voice": of("tara leah jess leo dan mia zac zoe")},
    "elevenlabs-v2.5-turbo": {"voice": {"enum": ["Sarah", "Monika Sogam", "Lucía"]}},
    "stable-audio-2.5": {"duration": number(1, 190), "output_format": of("mp3 wav")},
    "elevenlabs-music": {"music_length_ms": number(10_000, 300_000)},
}


def is_valid(value: Any, schema: Any) -> bool:
    """By what Poe's schemas say: `enum`, `type`, `minimum` and `maximum`."""
    if "enum" in schema:
        return value in schema["enum"] and type(value) in {type(choice) for choice in schema["enum"]}
    match schema.get("type"):
        case "number":
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            return is_number and schema.get("minimum", value) <= value <= schema.get("maximum", value)
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case _:
            return True


def shape(value: str) -> str:
    """Which way a ratio or a size lies: `landscape`, `portrait`, `square`, or nothing where it does not say."""
    if value in ("landscape", "portrait", "square"):
        return value
    for mark in ":x*":
        width, found, height = value.partition(mark)
        if found:
            return "square" if width == height else "landscape" if float(width) > float(height) else "portrait"
    return ""
