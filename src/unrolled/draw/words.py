"""The words of pictures, in English and Chinese: one table."""

from __future__ import annotations

import sys
from typing import final

from .error import DrawError
from .type import chinese as chinese_font

CHINESE: dict[str, str] = {
    "a share of the gradient": "梯度的份额",
    "after": "经过",
    "ablation": "消融",
    "cell state": "细胞状态",
    "candidate": "候选值",
    "class": "类别",
    "claim": "说法",
    "closed": "关闭",
    "concatenate": "拼接",
    "copy": "复制",
    "coupled gates": "耦合门",
    "forget gate": "遗忘门",
    "input gate": "输入门",
    "output gate": "输出门",
    "input gate and candidate": "输入门与候选值",
    "cell state update": "更新细胞状态",
    "output gate and hidden state": "输出门与隐藏状态",
    "hidden state": "隐藏状态",
    "input": "输入",
    "output": "输出",
    "layer": "神经网络层",
    "learned layer": "神经网络层",
    "pointwise operation": "逐点运算",
    "a whole vector": "整个向量",
    "lines join: concatenate": "线合并:拼接",
    "line forks: copy": "线分叉:复制",
    "one to many": "一对多",
    "many to one": "多对一",
    "many to many, equal": "多对多(等长)",
    "many to many, unequal": "多对多(不等长)",
    "image to caption": "图像到描述",
    "text to class": "文本到类别",
    "word to tag": "词到标签",
    "translation": "翻译",
    "peepholes": "窥视孔",
    "probability": "概率",
    "linear": "线性层",
    "step": "步",
    "steps": "步",
    "steps back": "往回的步数",
    "the same weights at every step": "每一步都用同一组权重",
    "short gap": "间隔短",
    "long gap": "间隔长",
    "times 3": "乘以 3",
    "times 3, then tanh": "乘以 3,再取 tanh",
    "value": "值",
    "derivative": "导数",
    "unrolled": "展开",
    "gradient": "梯度",
    "gradient size": "梯度大小",
    "units": "单元",
    "memory": "记忆",
    "what the model computes": "模型算出的",
    "this model": "这个模型",
    "between 0.1 and 0.9": "在 0.1 与 0.9 之间",
    "open": "打开",
    "time": "时间",
    "weather": "天气",
    "place": "地点",
    "order": "点单",
    "GRU": "GRU",
    "any cell": "任意单元",
}
"""Chinese for the words of the pictures."""

_said = False


@final
class Words:
    """The words of one language.

    Args:
        language: en or zh. Without a font with Chinese glyphs, zh falls back to English and says
            so once, on stderr.

    Raises:
        DrawError: for another language.

    >>> Words("en")("forget gate")
    'forget gate'
    """

    def __init__(self, language: str = "en") -> None:
        if language not in ("en", "zh"):
            raise DrawError(f"there are no labels in {language!r}: --lang is en or zh")
        if language == "zh" and not _has_chinese():
            language = "en"
        self.language = language

    def __call__(self, words: str) -> str:
        """The words in the language."""
        return CHINESE.get(words, words) if self.language == "zh" else words


def _has_chinese() -> bool:
    global _said
    found = chinese_font() is not None
    if not found and not _said:
        _said = True
        print(
            "unrolled: no font with Chinese glyphs is installed (such as Noto Sans CJK SC): "
            "labels stay English",
            file=sys.stderr,
        )
    return found
