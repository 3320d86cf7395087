"""What public chat templates name: the form of calls, and the marks of reasoning (docs/translation.md#reasoning)."""

from __future__ import annotations

from pathlib import Path

from gateway_lambda.generation.reasoning import marks_in
from gateway_lambda.tools.call_syntax import named_in_templates

FOLDER = Path(__file__).with_name("templates")
TEMPLATES = {
    name: (FOLDER / f"{name}.jinja").read_text("utf-8") for name in sorted(path.stem for path in FOLDER.glob("*.jinja"))
}
FORMS = {
    "deepseek": [
        "deepseek-ai-DeepSeek-R1-0528",
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "deepseek-ai-DeepSeek-V3",
        "deepseek-ai-DeepSeek-V3.1",
    ],
    "dsml": ["deepseek-ai-DeepSeek-V3.2", "deepseek-ai-DeepSeek-V4"],
    "function": ["meetkai-functionary-medium-v3.1"],
    "functools": ["fireworks-ai-llama-3-firefunction-v2"],
    "glm": ["GLM-4.6", "zai-org-GLM-4.5"],
    "granite": ["ibm-granite-granite-3.3-2B-Instruct"],
    "harmony": ["openai-gpt-oss-120b"],
    "hermes": [
        "MiMo-VL",
        "NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use",
        "Qwen-QwQ-32B",
        "Qwen-Qwen2.5-7B-Instruct",
        "Qwen-Qwen3-0.6B",
        "Qwen-Qwen3-VL-Instruct",
        "ibm-granite-granite-4.0",
    ],
    "kimi": ["Kimi-K2-Instruct", "moonshotai-Kimi-K2"],
    "lfm2": ["LFM2.5-8B-A1B"],
    "minimax": ["MiniMax-M1", "MiniMax-M2", "unsloth-Apriel-1.5"],
    "mistral": [
        "Mistral-Small-3.2-24B-Instruct-2506",
        "mistralai-Ministral-3-14B-Reasoning-2512",
        "mistralai-Mistral-7B-Instruct-v0.3",
        "mistralai-Mistral-Nemo-Instruct-2407",
        "unsloth-mistral-Devstral-Small-2507",
    ],
    "nemotron": ["NVIDIA-Nemotron-Nano-v2"],
    "qwen_coder": ["NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Qwen3-Coder", "Qwen3.5-4B"],
    "seed": ["ByteDance-Seed-OSS"],
}
MARKS = {
    "<seed:think>": ["ByteDance-Seed-OSS"],
    "<think>": [
        "GLM-4.6",
        "HuggingFaceTB-SmolLM3-3B",
        "LFM2.5-8B-A1B",
        "MiniMax-M2",
        "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        "NVIDIA-Nemotron-Nano-v2",
        "Qwen-QwQ-32B",
        "Qwen-Qwen3-0.6B",
        "Qwen3.5-4B",
        "deepseek-ai-DeepSeek-R1-0528",
        "deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
        "deepseek-ai-DeepSeek-R1-Distill-Qwen-32B",
        "deepseek-ai-DeepSeek-V3",
        "deepseek-ai-DeepSeek-V3.1",
        "deepseek-ai-DeepSeek-V3.2",
        "deepseek-ai-DeepSeek-V4",
        "ibm-granite-granite-3.3-2B-Instruct",
        "llama-cpp-rwkv-world",
        "zai-org-GLM-4.5",
    ],
    "<|channel|>analysis<|message|>": ["openai-gpt-oss-120b"],
    "<|inner_prefix|>": ["Apertus-8B-Instruct"],
    "[THINK]": ["mistralai-Ministral-3-14B-Reasoning-2512"],
}


def test_public_templates_name_the_form_of_their_calls() -> None:
    found: dict[str, list[str]] = {}
    for name, template in TEMPLATES.items():
        found.setdefault(named_in_templates((template,)), []).append(name)
    found.pop("any")
    assert found == FORMS


def test_public_templates_name_the_marks_of_their_reasoning() -> None:
    found: dict[str, list[str]] = {}
    for name, template in TEMPLATES.items():
        marks = marks_in(template)
        if marks is not None:
            found.setdefault(marks.opener, []).append(name)
    assert found == MARKS
