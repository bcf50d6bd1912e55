"""The numbers of pictures, measured on a model: a run, or a small one that is trained for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy
import torch
from torch import Tensor

from ...cells import find
from ...draw.axes import plain
from ...draw.notice import say
from ...draw.subject import Factors, Fade, Reading, Story, Terms, Ways
from ...draw.words import Words
from ...errors import DrawError, UserError
from ...printing.latex import symbol
from ...probe.flow import GradientFlow, gradient_flow
from ...probe.jacobian import rows_of
from ...probe.paths import AROUND, DIRECT, carrier
from ...probe.record import record
from ..train import checkpoint as checkpoints
from ..train import text as texts
from .models import moments, trained

if TYPE_CHECKING:
    from numpy import ndarray

    from ...equations import Cell
    from ..train.checkpoint import Checkpoint

SENTENCE = 'The function returns a string, such as "name" or None.'
"""What is read without --text."""
KINDS = ("rnn_tanh", "gru", "lstm")
"""The cells whose gradients are compared."""
HORIZON = 60
"""Steps back through time, at most."""
LAYER = "recurrent.l0"


@final
class Measured:
    """Numbers of runs of `unrolled train text`, or of small models when there are none.

    Args:
        runs: folders or checkpoints; some drawings take several.
        text: what the model reads.
        say: is told what was left out.
        cell: whose small model is trained when there is no run.
        words: of the language in which models are named.

    Raises:
        DrawError: for a run that cannot be read, a text with a character that it does not know,
            or that is empty.
    """

    def __init__(
        self,
        runs: Sequence[Path] = (),
        text: str | None = None,
        say: Callable[[str], None] = say,
        cell: Cell | None = None,
        words: Words | None = None,
    ) -> None:
        if text is not None and len(text) < 2:
            raise DrawError(f"--text has {len(text)} characters: give it at least 2")
        self.text = SENTENCE if text is None else text
        self.say = say
        self.cell = cell
        self.words = words or Words()
        self.runs = runs
        self.given = [self._load(run) for run in runs]

    def _load(self, run: Path) -> Checkpoint:
        try:
            return checkpoints.load(run)
        except UserError as error:
            raise DrawError(str(error)) from error

    def _all(self, *kinds: str) -> list[Checkpoint]:
        """Return the runs, or trained models of some cells."""
        return self.given or list(map(trained, kinds))

    def _one(self, kind: str | None = None) -> Checkpoint:
        """Return the run, or a trained model of a cell."""
        if len(self.given) > 1:
            raise DrawError(f"this drawing is about one run, got {len(self.given)}")
        if self.given:
            return self.given[0]
        return moments(self.cell or find(kind or "lstm"))[-1]

    def _name(self, checkpoint: Checkpoint) -> str:
        return self.words("{cell}, {units} units, after {steps} steps of training").format(
            cell=plain(checkpoint.cell.name),
            units=checkpoint.settings.hidden,
            steps=checkpoint.step,
        )

    def _ids(self, checkpoint: Checkpoint, words: str | None = None) -> Tensor:
        """Return the numbers of the text's characters, or of other words', (T, 1)."""
        try:
            ids = texts.encode(self.text if words is None else words, checkpoint.vocabulary)
        except UserError as error:
            raise DrawError(f"--text does not fit the run: {error}") from error
        return ids.long().unsqueeze(1)

    def _window(self, steps: int, limit: int) -> slice:
        """Return the steps that are shown: the last; of our own sentence, the first."""
        if steps <= limit or self.text is SENTENCE:
            return slice(0, min(steps, limit))
        self.say(f"the text has {steps} characters: the drawing shows the last {limit}")
        return slice(steps - limit, steps)

    def _flow(self, checkpoint: Checkpoint, ids: Tensor | None = None) -> GradientFlow:
        model = checkpoint.model().eval().double()
        ids = self._ids(checkpoint) if ids is None else ids
        return gradient_flow(model, ids, of=LAYER, loss=lambda output: output[0][-1].sum())

    # What is measured.

    def story(self, limit: int, cell: str | None = None, text: str | None = None) -> Story:
        """Return every value while the model reads the text, or `text` if the user gave none."""
        checkpoint = self._one(cell)
        if text is not None and self.text is SENTENCE and set(text) <= set(checkpoint.vocabulary):
            return Measured(self.runs, text, self.say, self.cell, self.words).story(limit, cell)
        ids = self._ids(checkpoint)
        shown = self._window(len(ids), limit)
        return self._recorded(checkpoint, ids, shown)

    def _recorded(self, checkpoint: Checkpoint, ids: Tensor, shown: slice) -> Story:
        model = checkpoint.model().eval()
        with torch.no_grad(), record(model, f"{LAYER}.*") as recording:
            model(ids)
        values = {
            name.rpartition(".")[2]: value[shown, 0].double().numpy()
            for name, value in recording.items()
        }
        graph = checkpoint.cell.graph
        return Story(self._name(checkpoint), graph, list(self.text[shown]), values)

    def stories(self, limit: int) -> Sequence[Story]:
        """Return the same text at several moments of a training."""
        if len(self.given) == 1:
            raise DrawError(
                "film shows one sentence across checkpoints: give --run once for each of them "
                "(copies of checkpoint.safetensors that were kept while the run went on)"
            )
        chosen = self.given or moments(self.cell or find("lstm"))
        if len({each.cell for each in chosen}) > 1:
            raise DrawError("film shows checkpoints of one cell; these runs have different ones")
        chosen = sorted(chosen, key=lambda each: each.step)
        shown = self._window(len(self.text), limit)
        return [self._recorded(each, self._ids(each), shown) for each in chosen]

    def influence(self, limit: int) -> tuple[Story, ndarray]:
        """Measure gradient × input."""
        checkpoint = self._one()
        ids = self._ids(checkpoint)
        shown = self._window(len(ids), limit)
        story = self._recorded(checkpoint, ids, shown)
        found = self._flow(checkpoint).influence(LAYER)
        return story, found[shown, shown].numpy()

    def reading(self) -> Reading:
        """Return a question, read to its class by a small model of its own."""
        from .models import CODE, TEMPLATES, read

        if self.given:
            raise DrawError("intent reads words with a classifier of its own: leave out --run")
        words, probabilities = read()
        return Reading(words, list(TEMPLATES), probabilities.double().numpy(), CODE)

    def fades(self) -> Sequence[Fade]:
        """Measure |dh_T/dh_{T-k}|, averaged over excerpts of a text that no model was trained on.

        Of a cell with a state that carries the memory, that state's as well.
        """
        found = []
        for checkpoint in self._all(*KINDS):
            ids, graph = self._long(checkpoint), checkpoint.cell.graph
            flows = [self._flow(checkpoint, ids[:, r : r + 1]) for r in range(ids.shape[1])]
            name = f"{plain(checkpoint.cell.name)} ({checkpoint.settings.hidden})"
            states = dict.fromkeys((graph.output, carrier(graph)))
            for state in states:
                title = f"{name}: ${symbol(state, 't')}$" if len(states) > 1 else name
                found.append(_fade(title, [_sizes(flow, state) for flow in flows]))
        return found

    def _long(self, checkpoint: Checkpoint, rows: int = 4) -> Tensor:
        """Excerpt the given text, or Python's help topics, for gradients over many steps."""
        words = self.text
        if self.text is SENTENCE:
            known = set(checkpoint.vocabulary)
            whole = texts.default()
            words = "".join(letter for letter in whole[len(whole) * 2 // 3 :] if letter in known)
        if len(words) <= HORIZON * rows:
            return self._ids(checkpoint)[-HORIZON - 1 :]
        stride = len(words) // rows
        parts = [words[r * stride : r * stride + HORIZON + 1] for r in range(rows)]
        return self._ids(checkpoint, "".join(parts)).view(rows, -1).T.contiguous()

    def factors(self) -> Sequence[Factors]:
        """Return what each step does to a gradient: a simple network, and one with a cell state."""
        models = [trained("rnn_tanh"), self._one() if self.given else trained("lstm")]
        return [self._factors(each) for each in models]

    def _factors(self, checkpoint: Checkpoint, steps: int = 40) -> Factors:
        ids = self._long(checkpoint)[: steps + 1, :1]
        flow = self._flow(checkpoint, ids)
        state = carrier(checkpoint.cell.graph)
        rows = []
        own = _own(flow, state)
        for step in range(1, len(ids)):
            jacobian, through = (flow.jacobian(LAYER, step, s)[own, own] for s in (step - 1, 0))
            direct = flow.contributions(LAYER, step)[DIRECT][own, own]
            has_path = direct.abs().sum() > 0
            factors = direct.diagonal() if has_path else torch.linalg.svdvals(jacobian)
            norm = torch.linalg.matrix_norm
            rows.append((norm(jacobian, 2), factors, norm(through, 2)))
        name = f"{plain(checkpoint.cell.name)}: {plain(state)}"
        return Factors(name, *(torch.stack(each).numpy() for each in zip(*rows, strict=True)))

    def terms(self, limit: int) -> Terms:
        """Measure dC_t/dC_{t-1} step by step, and the popular products over more steps."""
        checkpoint = self._one()
        state = carrier(checkpoint.cell.graph)
        if state == checkpoint.cell.graph.output:
            raise DrawError(
                f"terms shows the cell state's derivative: {checkpoint.cell.name} has no state "
                f"beside {state}; take a run of a cell such as lstm"
            )
        flow = self._flow(checkpoint)
        last = len(self.text) - 1
        shown = self._window(last + 1, limit)
        first = max(1, shown.start)
        found = [flow.terms(LAYER, step, step - 1) for step in range(first, shown.stop)]
        names = [n for n, share in found[0].shares.items() if n != AROUND and share.abs().sum() > 0]
        root = found[0].exact.shape[0] ** 0.5

        def size(matrix: Tensor) -> float:
            return float(torch.linalg.matrix_norm(matrix) / root)

        around = [0.0] * max(0, 2 - first) + [
            size(flow.terms(LAYER, step, step - 2).shares[AROUND])
            for step in range(max(2, first), shown.stop)
        ]
        errors = {}
        for k in (1, 2, 3, 5, 10):
            if k <= last:
                steps = range(k, last + 1, max(1, last // 6))
                pairs = [flow.terms(LAYER, step, step - k) for step in steps]
                both = zip(*((pair.popular_error, pair.gates_error) for pair in pairs), strict=True)
                errors[k] = tuple(float(numpy.median(each)) for each in both)
        return Terms(
            self._name(checkpoint),
            list(self.text[first : shown.stop]),
            names,
            numpy.array([[size(each.shares[name]) for name in names] for each in found]),
            numpy.array([size(each.exact) for each in found]),
            numpy.array(around),
            errors,
        )

    def ways(self, limit: int) -> Ways:
        """Return the blocks of each step's Jacobian."""
        checkpoint = self._one()
        graph = checkpoint.cell.graph
        if len(graph.states) != 2:
            raise DrawError(
                f"paths shows a cell with two states: {checkpoint.cell.name} has "
                f"{len(graph.states)}; take a run of a cell such as lstm"
            )
        flow = self._flow(checkpoint)
        widths = list(flow.passage(LAYER).widths.values())
        sizes = [
            [
                [float(torch.linalg.matrix_norm(block, 2)) for block in rows.split(widths, 1)]
                for rows in flow.jacobian(LAYER, step, step - 1).split(widths)
            ]
            for step in range(1, min(limit, len(self.text) - 1) + 1)
        ]
        return Ways(self._name(checkpoint), list(graph.states), numpy.array(sizes))


def _fade(name: str, rows: list[Tensor]) -> Fade:
    """Return the sizes of several rows, averaged on the scale of their logarithms."""
    sizes = torch.stack(rows).clamp_min(1e-30).log().mean(0).exp()
    return Fade(name, (sizes / sizes[0]).numpy())


def _sizes(flow: GradientFlow, state: str) -> Tensor:
    """Return |ds_T/ds_{T-k}| for k = 0, 1, ... of a state, over all paths."""
    own, parts = _own(flow, state), flow.passage(LAYER).fading(0, state=state)
    return torch.stack([torch.linalg.matrix_norm(part[:, own]) for part in parts])


def _own(flow: GradientFlow, state: str) -> slice:
    """Return the rows of one state among the joined ones."""
    return rows_of(state, flow.passage(LAYER).widths)
