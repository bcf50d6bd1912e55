"""The words of the page, in English and Chinese: one table."""

from __future__ import annotations

from typing import final

from ...draw.words import Words

CHINESE: dict[str, str] = {
    # The page.
    "How far does a network remember?": "网络能记住多远？",
    "Contents": "目录",
    "Skip to the content": "跳到正文",
    "In short": "概要",
    "made with unrolled": "由 unrolled 生成",
    "Everything on this page was measured on this machine by one command; nothing is quoted from "
    "elsewhere.": "本页的一切数字都由一条命令在这台机器上测得，没有引用别处的数据。",
    "Everything on this page was measured on this model by one command.": "本页的一切数字都由一条命令在这个模型上测得。",
    # Structure.
    "The network in time": "沿时间展开的网络",
    "A recurrent network reads a sequence step by step. The same cell, with the same weights, is "
    "used at every step; what it has seen so far is in its hidden state.": "循环网络一步一步地读入序列。每一步都使用同一个单元和同一组权重；"
    "它到目前为止所见的一切都在隐藏状态里。",
    "Rolled up: one cell and a loop.": "卷起来：一个单元和一个环。",
    "Unrolled: a chain of copies that share one set of weights.": "展开：一串共享同一组权重的副本。",
    "The general step: h′, y = f(h, x). The output goes through a linear layer and, for classes, "
    "a softmax.": "一般的一步：h′, y = f（h, x）。输出经过线性层，分类时再经过 softmax。",
    "Four ways to use the chain.": "这条链的四种用法。",
    "How to read the pictures of the cells.": "单元图的图例。",
    # Cells.
    "The cells": "各种单元",
    "Each picture, formula and pseudo-code is made from the same equations that were trained. "
    "Lines that join are concatenated, lines that fork are copied.": "每幅图、每个公式和每段伪代码都出自同一组方程，训练用的也是它们。"
    "线的汇合表示拼接，线的分叉表示复制。",
    "The picture": "结构图",
    "The formula": "公式",
    "Pseudo-code that runs": "可以运行的伪代码",
    "The cell": "单元",
    # The problem.
    "The long-term dependency problem": "长期依赖问题",
    "The clouds are in the sky: what decides the last word is near. I grew up in France … I speak "
    "fluent French: it is far away. Does a network learn the link?": "“云在天空中”：决定最后一个词的信息就在旁边。“我在法国长大……我说流利的法语”：它在很远的地方。"
    "网络能学会这种联系吗？",
    "What decides the last word is near, or far away.": "决定最后一个词的信息在近处，或在远处。",
    "The sentences come from a grammar with two facts, so many words about other things, and an "
    "answer of two words. An answer is right if both words are. Tests ask only for answers that "
    "training never asked for, and have new words in the gap.": "句子由文法生成：两个事实，若干讲别的事情的词，最后是两个词的答案；两个词都对才算对。"
    "测试只问训练中从未问过的答案，间隔里也有新词。",
    "A sentence of the short task": "短间隔任务的一句",
    "A sentence of the long task": "长间隔任务的一句",
    "Held-out answers that are right, in %": "留出答案的正确率（%）",
    "Accuracy against the gap": "正确率与间隔",
    "Held-out answers right against the number of words in the gap; lines: from the least to the "
    "greatest seed.": "留出答案的正确率随间隔词数的变化；竖线：各随机种子的最小到最大。",
    "words in the gap": "间隔的词数",
    "held-out answers right, %": "留出答案正确率 %",
    "Learning curves": "学习曲线",
    "Training loss with a gap of": "训练损失，间隔为",
    "words": "词",
    "steps of training": "训练步数",
    "training loss, nats": "训练损失（nat）",
    "Gradient against distance": "梯度与距离",
    "The size of the loss’s gradient so many steps back, relative to the last step; before training "
    "and after it.": "损失的梯度在往回若干步处的大小（相对最后一步）；训练之前与训练之后。",
    "before training": "训练之前",
    "after training": "训练之后",
    "steps back": "往回的步数",
    "gradient, relative": "梯度（相对）",
    "What the answer came from": "答案从何而来",
    "Each cell reads the same held-out sentence. The darker a word, the more of what the cell says "
    "comes from it (gradient × input). The two facts are underlined.": "每种单元读同一句留出的句子。词的底色越深，单元所说的就越多来自它（梯度×输入）。"
    "两个事实带下划线。",
    "says": "说",
    "right": "对",
    "wrong": "错",
    "should be": "应为",
    "cell": "单元",
    "gap": "间隔",
    "short task": "短间隔任务",
    "long task": "长间隔任务",
    "seconds for a trial": "每次训练秒数",
    "chance": "随机猜测",
    "seed": "个种子",
    "seeds": "个种子",
    "Other tests of memory": "其他记忆测试",
    "What the article says, and what was measured": "文章的说法与实测",
    # The claims.
    "With a short gap, every network learns the link.": "间隔短时，每种网络都能学会这种联系。",
    "As the gap grows, a simple RNN can no longer learn it.": "间隔变大时，简单的 RNN 就学不会了。",
    "Another structure cures it: LSTM.": "改变结构可以解决：LSTM。",
    "Another activation cures it: ReLU.": "换激活函数可以解决：ReLU。",
    "The cause is that gradients vanish.": "原因是梯度消失。",
    "Of the gradient is left at the first word, gap": "梯度传到第一个词时还剩的部分；间隔",
    "holds": "成立",
    "does not hold here": "在这里不成立",
    "not settled by this run": "这次运行不足以判断",
    "This run was cut short: cells have had too few steps to learn what they can.": "这次运行时间很短：单元来不及学到它们能学会的东西。",
    # The model.
    "A language model on real text": "真实文本上的语言模型",
    "The model": "模型",
    "parameters": "参数",
    "hidden units": "隐藏单元",
    "trained for": "训练了",
    "steps": "步",
    "held-out loss": "留出损失",
    "on the held-out part": "留出部分",
    "training": "训练",
    "held out": "留出",
    "Loss of the training batch, and on the held-out part.": "训练批的损失，以及留出部分的损失。",
    "loss": "损失",
    "What it writes": "它写出的文字",
    "at temperature": "温度",
    "Inside, on a real sentence": "读一句真实的话时的内部",
    "The sentence": "句子",
    "Gates and states, character by character: a row is a unit, a column is a step.": "逐字符的门与状态：一行是一个单元，一列是一步。",
    "How much of each character is still in the hidden state: a row is a moment, a column is a "
    "character that was read (gradient × input).": "每个字符在隐藏状态里还剩多少：一行是一个时刻，一列是一个读过的字符（梯度×输入）。",
    "How a gradient shrinks on its way back through this model.": "梯度在这个模型里往回传时如何变小。",
    "Memory strip": "记忆条",
    "What is left of each character after the last one, the darker the more.": "读完最后一个字符后，每个字符还剩多少；越深越多。",
    "Units that tell something": "有含义的单元",
    "Each unit was searched for on one half of the text and is scored on the other; the chance of "
    "a find is 5 % if no unit tracks the property.": "在文本的一半上寻找单元，在另一半上评分；若没有单元跟踪该性质，误报的概率是 5 %。",
    "inside quotes": "在引号之内",
    "inside backquotes": "在反引号之内",
    "inside brackets": "在括号之内",
    "position in the line": "行内的位置",
    "inside a word": "在单词之内",
    "unit": "单元",
    "correlation": "相关",
    "dark": "深",
    "light": "浅",
    "No unit tracks any of these properties better than chance.": "没有单元对这些性质的跟踪好于随机。",
    "by chance": "随机",
    "property": "性质",
    "units found": "找到的单元数",
    "the best one": "最好的一个",
    "The diagnosis": "诊断",
    "Nothing was found: the layers are healthy.": "没有发现问题：各层健康。",
    "What usually helps": "通常有效的办法",
    "layer": "层",
    "factor of the gradient per step back": "每往回一步梯度的倍数",
    "steps until 1 % is left": "剩 1 % 之前的步数",
    "kept of the memory per step": "每步保留的记忆",
    "dead units": "不动的单元",
    "more than": "超过",
    "The figures as a table": "表格形式的数字",
    "mean over seeds; in brackets the least and the greatest": "各种子的平均；括号内为最小与最大",
    "bits per character": "比特/字符",
    "every symbol equally likely": "各符号等概率",
    "symbol frequencies": "符号频率",
    "interpolated 5-gram": "插值 5-gram",
    "this model": "这个模型",
    "text": "文本",
    "Adding problem, mean squared error": "加法问题，均方误差",
    "Copy memory, nats": "复制记忆，nat",
    "The page needs no network and loads nothing.": "本页不需要网络，也不加载任何东西。",
}
"""Chinese for the words of the page."""


@final
class Speech:
    """The words of a page in one language, and those of its pictures.

    Args:
        language: en or zh.

    Raises:
        DrawError: for another language.

    >>> Speech("zh")("cell")
    '单元'
    """

    def __init__(self, language: str = "en") -> None:
        self.pictures = Words(language)
        self.language = language

    def __call__(self, words: str) -> str:
        """The words in the language of the page."""
        return CHINESE.get(words, words) if self.language == "zh" else words

    def chart(self, words: str) -> str:
        """The words in the language that charts can be set in."""
        return CHINESE.get(words, words) if self.pictures.language == "zh" else words
