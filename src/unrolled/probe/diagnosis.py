"""A diagnosis: what is wrong with a model's recurrent layers, in plain words and numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from copy import copy
from numbers import Integral
from typing import TYPE_CHECKING, Any, final

import msgspec
import torch
from torch.nn import Module

from ..columns import Columns, Prose
from ..display import number, page, paragraph, plain, table
from ..printable import printable
from ..speech import Count, Sentence, Speaker, read_catalogue
from .finding import SHORT, Finding, broken_weights, findings
from .finite import broken_modules
from .measurement import Measurement, measure
from .reaching import Reaching, reaching, unsettled, with_advice
from .watch import Watch, called, check_finite, run_model, watching

if TYPE_CHECKING:
    from rich.console import Group

CHINESE = read_catalogue("unrolled.probe")
"""Chinese for what a diagnosis says, and for the titles of its columns, which are short."""
PART = number(100 * SHORT)
SHORTEST = 2
"""The fewest steps that a reach can be."""
LOOKED_FOR = (
    Sentence("vanishing or exploding gradients"),
    Sentence("a closed forget gate"),
    Sentence("saturated gates"),
    Sentence("dead or duplicate units"),
    Sentence("infinite weights"),
)
"""All but a short memory, which short inputs cannot tell."""


def diagnose(
    model: Module, x: Any, of: str | Iterable[str] = "*", *, needs: int | None = None
) -> Diagnosis:
    """Look for what usually goes wrong in recurrent layers, and say so.

    The model runs once, in the mode it is in, without gradients. Every layer and direction is
    measured by itself, from its own equations: how much of a gradient each step lets through,
    which gates stand at their ends, which units do nothing or the same, how far the memory goes.
    The thresholds are those of `unrolled.probe.finding`; docs/diagnosis.md gives their reasons.

    Args:
        model: with layers or cells of this library, or of `torch.nn`, anywhere in it.
        x: its input, best a batch like those it is trained on; a tuple stands for several
            arguments, a dict for named ones.
        of: which layers, by name: one glob or several, such as ``encoder.*``.
        needs: how many steps lie between what decides an answer and the answer; then `x` should
            have more steps. Whether gradients reach that far is measured and said.

    Raises:
        TypeError: if `model` is no module, or `needs` is no int.
        ValueError: for a model without recurrent modules, a name that matches none, an input that
            is not finite, or `needs` below 2.

    >>> import torch, unrolled
    >>> layer = unrolled.RNN(3, 16)
    >>> torch.nn.init.orthogonal_(layer.weight_hh_l0, gain=0.2) is layer.weight_hh_l0
    True
    >>> diagnosis = unrolled.diagnose(layer, torch.randn(30, 4, 3))
    >>> diagnosis.codes
    {'vanishing'}
    >>> unrolled.diagnose(unrolled.LSTM(3, 16), torch.randn(60, 4, 3), needs=40).reaches
    False
    """
    _check_needs(needs)
    check_finite(x, "diagnose")
    with watching(model, of, "diagnose") as watch, torch.no_grad():
        run_model(model, x)
        passages = called(watch, "diagnose")
    with torch.no_grad():
        return Diagnosis(
            [measure(each) for each in passages.values()], needs, _others(model, watch)
        )


def _others(model: Module, watch: Watch) -> list[Finding]:
    """Return findings of weights and buffers that are not finite in no layer that is measured."""
    measured = {
        id(weight)
        for passage in watch.passages().values()
        for weight in passage.visits[0].call.weights.values()
    }
    modules = broken_modules(model, measured)
    found = [broken_weights(module, counts) for module, counts in modules.items()]
    return [finding for finding in found if finding is not None]


def _check_needs(needs: object) -> None:
    if needs is None:
        return
    if not isinstance(needs, Integral) or isinstance(needs, bool):
        raise TypeError(f"diagnose: needs should be an int, a number of steps, got {needs!r}")
    if needs < 2:
        raise ValueError(f"diagnose: needs should be at least 2 steps, got {needs!r}")


@final
class Diagnosis:
    """The result of `diagnose`.

    Attributes:
        layers: the measurements, by name of the layer.
        needs: the steps that the task needs, as they were given.
        reaches: whether a layer's gradient reaches so far, in each direction that there is; None
            if that is not settled, or if no `needs` were given.
        findings: all that is wrong, layer by layer.
        unsettled: what this input cannot tell, in plain words.
        language: of all its texts, en or zh.
    """

    language = "en"

    def __init__(
        self,
        measurements: Iterable[Measurement],
        needs: int | None = None,
        others: Iterable[Finding] = (),
    ) -> None:
        self.layers: Mapping[str, Measurement] = {each.layer: each for each in measurements}
        self.needs = needs
        measured = list(self.layers.values())
        self.findings: list[Finding] = [
            *(finding for each in measured for finding in findings(each)),
            *others,
        ]
        self.unsettled: list[Sentence] = [text for each in measured for text in unsettled(each)]
        self.reaches: bool | None = None
        if needs is not None:
            self._compare(reaching(measured, needs))

    def _compare(self, found: Reaching) -> None:
        """Take in whether gradients reach as far as they need to."""
        self.reaches = found.enough
        self.findings = with_advice(self.findings, found.findings)
        self.unsettled += found.unsettled

    def translated(self, language: str) -> Diagnosis:
        """Return the same diagnosis with every text in another language: findings, advice, verdict,
        page, and the texts of its JSON. Codes and the names of numbers stay as they are.

        Args:
            language: en or zh.

        Raises:
            ValueError: for another language.

        >>> import torch, unrolled
        >>> gru = torch.nn.GRU(3, 16)
        >>> chinese = unrolled.diagnose(gru, torch.randn(30, 4, 3)).translated("zh")
        >>> print(chinese.verdict.partition("：")[0])
        检查了 1 层，以下问题都没有发现
        """
        other, speaker = copy(self), Speaker(language, CHINESE["sentences"])
        other.language = language
        other.findings = [finding.said(speaker) for finding in self.findings]
        other.unsettled = [text.said(speaker) for text in self.unsettled]
        return other

    def heading(self, finding: Finding) -> str:
        """Return the layer of a finding and what it is called."""
        name = Speaker(self.language, CHINESE["sentences"])(finding.code)
        return self._said(Sentence("{layer}: {code}", layer=finding.layer, code=name))

    def _said(self, sentence: Sentence) -> str:
        return sentence.said(Speaker(self.language, CHINESE["sentences"]))

    @property
    def codes(self) -> set[str]:
        """The codes of the findings; empty if there are none."""
        return {finding.code for finding in self.findings}

    @property
    def healthy(self) -> bool:
        """Whether nothing was found of what is looked for, and all of it could be measured: that
        does not say that the model has learned anything.
        """
        return not self.findings and not self.unsettled

    @property
    def verdict(self) -> str:
        """The findings and what is not settled in plain words, one line each, or that there is
        neither.
        """
        if self.healthy:
            return self._said(self._health())
        found = [
            Sentence(
                "{heading}: {text}. What helps: {advice}.",
                heading=self.heading(each),
                text=each.text,
                advice=each.advice,
            )
            for each in self.findings
        ]
        return "\n".join(map(self._said, [*found, *map(_left_open, self.unsettled)]))

    def _health(self) -> Sentence:
        measured = self.layers.values()
        short = Sentence("a short memory (less than {part} % of the input)", part=PART)
        is_told = all(SHORT * each.back > SHORTEST for each in measured)
        looked = Sentence(
            "None of these was found in {layers}: {kinds}.",
            layers=Count(len(self.layers), "layers"),
            kinds=[LOOKED_FOR[0], *([short] if is_told else []), *LOOKED_FOR[1:]],
        )
        if self.reaches:
            more = Sentence(
                "Gradients reach the {needs} steps that are needed.", needs=self.needs or 0
            )
        elif not is_told:
            more = Sentence(
                "Whether a memory is short is not settled: to find one of less than {part} % it "
                "takes an input of more than {steps}, or needs=N.",
                part=PART,
                steps=Count(math.floor(SHORTEST / SHORT) + 1, "steps"),
            )
        else:
            return looked
        return Sentence("{first} {second}", first=looked, second=more)

    def to_json(self) -> dict[str, Any]:
        """Return the diagnosis as data for JSON: verdict, codes, findings, what is not settled,
        and every layer's numbers.
        """
        data = {
            "healthy": self.healthy,
            "codes": sorted(self.codes),
            "verdict": self.verdict,
            "findings": self.findings,
            "unsettled": self.unsettled,
            "needs": self.needs,
            "reaches": self.reaches,
            "layers": {name: _numbers(each) for name, each in self.layers.items()},
        }
        return json.loads(msgspec.json.encode(data, enc_hook=_plain))  # null for NaN

    def json(self) -> str:
        """Return the diagnosis as JSON text."""
        return json.dumps(self.to_json(), indent=1)

    def __rich__(self) -> Group:
        from rich.console import Group
        from rich.padding import Padding
        from rich.text import Text

        rows = [tuple(row(each).values()) for each in self.layers.values()]
        comma = self._said(Sentence(", "))
        parts: list[Any] = [Columns(self._titles(), rows, left=2, comma=comma)]
        for finding in self.findings:
            text = Text(self._said(_headed(self.heading(finding))), "bold red")
            text.append(printable(self._said(_ended(finding.text))), "not bold default")
            parts += [
                Text(),
                Prose(text),
                Padding(Prose(Text(printable(finding.advice))), (0, 0, 0, 2)),
            ]
        parts.append(Text())
        if self.healthy:
            parts += [Prose(Text(self.verdict, "bold")), Text()]
        for text in self.unsettled:
            parts += [Prose(Text(printable(self._said(_left_open(text))), "yellow")), Text()]
        return Group(*parts, Prose(Text(self._said(LEGEND), "dim")))

    def _titles(self) -> list[str]:
        return list(map(Speaker(self.language, CHINESE["titles"]), TITLES))

    def __repr__(self) -> str:
        return f"Diagnosis({', '.join(sorted(self.codes)) or self._mood})"

    @property
    def _mood(self) -> str:
        return "nothing found" if self.healthy else "not settled"

    def __str__(self) -> str:
        return plain(self)

    def _repr_html_(self) -> str:
        rows = [tuple(row(each).values()) for each in self.layers.values()]
        found = [
            paragraph(
                self._said(Sentence("{text}. {advice}.", text=each.text, advice=each.advice)),
                self._said(_headed(self.heading(each))).rstrip(),
            )
            for each in self.findings
        ]
        healthy = [paragraph("", self.verdict)] if self.healthy else []
        open_ = [paragraph(self._said(_left_open(text))) for text in self.unsettled]
        parts = [*found, *healthy, *open_, paragraph(self._said(LEGEND))]
        return f"<div lang='{self.language}'>{page(table(self._titles(), rows), *parts)}</div>"


def _headed(heading: str) -> Sentence:
    return Sentence("{heading}: ", heading=heading)


def _ended(text: str) -> Sentence:
    return Sentence("{text}.", text=text)


def _left_open(text: str) -> Sentence:
    return Sentence("Not settled: {text}.", text=text)


TITLES = ("layer", "cell", "steps", "units", "factor", "reach", "keeps", "stuck", "dead", "same")
LEGEND = Sentence(
    "reach: steps back until 1 % is left of the gradient that goes one step back. factor: the mean "
    "factor of a step on the way there, so that factor to the power of reach - 1 is 1 % or less; "
    "of all steps where more is left. keeps: what of the memory a step keeps, on average. stuck: "
    "the activation with the most units that stand at its ends. dead, same: units that never "
    "change, or do what another does. A dash: there is none, or this input cannot tell; of a "
    "factor also that nothing at all is left of the gradient."
)
DASH = "–"


def _plain(value: object) -> str:
    """Return a sentence as JSON has it."""
    if isinstance(value, Sentence):
        return str(value)
    raise TypeError(f"no JSON for a {type(value).__name__}")


def row(m: Measurement) -> dict[str, str]:
    """Return the row of a layer, by title: a dash is where there is no number, or none that is
    settled.
    """
    back = DASH if m.rate is None else f"> {m.back}"
    is_kept = m.keep is not None and math.isfinite(m.keep)
    cells = (
        m.layer,
        m.cell,
        str(m.steps),
        str(m.units),
        _factor(m),
        back if m.reach is None else str(m.reach),
        f"{m.keep:.2f}" if is_kept else DASH,
        _worst(m),
        str(len(m.dead)) if m.moved else DASH,
        str(len(m.duplicates)) if m.compared else DASH,
    )
    return dict(zip(TITLES, cells, strict=True))


def _factor(m: Measurement) -> str:
    """Return the factor of a step, rounded down where it leads to the reach: so it does as it is
    written. No mean belongs to a gradient that ends altogether.
    """
    if not m.rate:
        return DASH
    if m.reach is None:
        return number(m.rate, 3)
    unit = 10.0 ** (math.floor(math.log10(m.rate)) - 2)
    return number(math.floor(m.rate / unit) * unit, 3)


def _worst(m: Measurement) -> str:
    """Return the activation with the most stuck units."""
    if not m.stuck or m.infinite is not None:
        return DASH
    name, part = max(m.stuck.items(), key=lambda pair: pair[1])
    return f"{name} {100 * part:.0f} %" if part else "0 %"


def _numbers(m: Measurement) -> dict[str, Any]:
    return {
        **_of(m, "cell", "steps", "units", "infinite", "rate", "reach", "left"),
        "growth": 10**m.growth,
        "curve": (m.curve / math.log(10)).tolist(),
        **_of(m, "factor", "keep", "bias"),
        "saturation": {
            name: {"low": each.low.mean().item(), "high": each.high.mean().item()}
            for name, each in m.saturation.items()
        },
        "dead": m.dead if m.moved else None,
        "duplicates": m.duplicates if m.compared else None,
        "not finite": m.broken | {f"initial {name}": count for name, count in m.begun.items()},
    }


def _of(m: Measurement, *names: str) -> dict[str, Any]:
    return {name: getattr(m, name) for name in names}
