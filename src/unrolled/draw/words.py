"""The words of pictures, in English and Chinese: one table."""

from __future__ import annotations

from typing import final

from ..errors import DrawError
from .notice import say
from .type import chinese as chinese_font

CHINESE: dict[str, str] = {
    # Cells.
    "cell state update": "更新细胞状态",
    "closed": "关闭",
    "coupled gates": "耦合门",
    "forget gate": "遗忘门",
    "input": "输入",
    "input gate and candidate": "输入门与候选值",
    "learned layer": "神经网络层",
    "line forks: copy": "线分叉：复制",
    "linear": "线性层",
    "lines join: concatenate": "线合并：拼接",
    "open": "打开",
    "output gate and hidden state": "输出门与隐藏状态",
    "peepholes": "窥视孔",
    "pointwise operation": "逐点运算",
    "a whole vector": "整个向量",
    # Chains.
    "the same weights at every step": "每一步都用同一组权重",
    "one to many": "一对多",
    "many to one": "多对一",
    "many to many, equal": "多对多（等长）",
    "many to many, unequal": "多对多（不等长）",
    "image to caption": "图像到描述",
    "text to class": "文本到类别",
    "word to tag": "词到标签",
    "translation": "翻译",
    "short gap": "间隔短",
    "long gap": "间隔长",
    "time": "时间",
    "weather": "天气",
    "place": "地点",
    "order": "点单",
    # Functions.
    "step": "步",
    "steps": "步",
    "times 3": "乘以 3",
    "times 3, then tanh": "乘以 3，再取 tanh",
    "claim: 0 or 1; between 0.1 and 0.9:": "说法：非 0 即 1；在 0.1 与 0.9 之间的：",
    "this model": "这个模型",
    "; {share} of the points lie outside": "；{share} 的点在图外",
    # What a model computes.
    "{cell}, {units} units, after {steps} steps of training": (
        "{cell}，{units} 个单元，训练 {steps} 步之后"
    ),
    "{model}: units 1-{last} of $h_t$": "{model}：$h_t$ 的第 1-{last} 个单元",
    "{model}: unit {unit} of $h_t$": "{model}：$h_t$ 的第 {unit} 个单元",
    "from {low} (dark) to {high} (light)": "从 {low}（深色）到 {high}（浅色）",
    "share of each input in the state after step {step}": "第 {step} 步之后，各输入在状态中的份额",
    "gradient × input": "梯度 × 输入",
    "mean of every unit, and where 80 % of steps lie": "每个单元的均值，以及 80 % 的步所在的范围",
    "share of steps above 0.9: open": "高于 0.9 的步的比例：打开",
    "share of steps below 0.1: closed": "低于 0.1 的步的比例：关闭",
    "units, sorted": "单元（已排序）",
    # Gradients.
    "steps back": "往回的步数",
    "relative to that at $k = 0$": "相对于 $k = 0$ 时",
    "{share} of factors between 0.1 and 0.9": "{share} 的因子在 0.1 与 0.9 之间",
    "factor of each step": "每一步的因子",
    "size of the product": "乘积的大小",
    "dots: units (singular values; on the direct path of a cell state its gate)": (
        "点：各单元（奇异值；在细胞状态的直接通路上是它的门）"
    ),
    "line: greatest factor of the whole step": "线：整步的最大因子",
    "{count} paths from {end} back to {start}; bold: the direct one": (
        "从 {end} 回到 {start} 共 {count} 条路径；粗线：直接的那条"
    ),
    "numbers: largest factor of each derivative": "数字：每个导数的最大因子",
    "size of each term  (Frobenius norm / $\\sqrt{H}$)": (
        "每一项的大小（Frobenius 范数 / $\\sqrt{H}$）"
    ),
    "through $o_{t-1}$, two steps": "经过 $o_{t-1}$，两步",
    "exact": "精确值",
    "how far popular formulas are off:": "常见公式的误差：",
    "product of forget gates": "遗忘门之积",
    "product of the four terms": "四项之积",
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
        say(
            "no font with Chinese glyphs is installed (such as Noto Sans CJK SC): "
            "labels stay English"
        )
    return found
