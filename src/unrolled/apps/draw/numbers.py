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
from ...probe.record import record
from ...probe.terms import carrier
from ..train import checkpoint as checkpoints
from ..train import text as texts
from .models import moments

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

    # Models.

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

    def _ids(self, checkpoint: Checkpoint) -> Tensor:
        try:
            return texts.encode(self.text, checkpoint.vocabulary).long().unsqueeze(1)
        except UserError as error:
            raise DrawError(f"--text does not fit the run: {error}") from error

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
        chosen = self.given or [moments(find(kind))[-1] for kind in KINDS]
        found = []
        for checkpoint in chosen:
            ids = self._long(checkpoint)
            flows = [self._flow(checkpoint, ids[:, r : r + 1]) for r in range(ids.shape[1])]
            name, graph = self._short(checkpoint), checkpoint.cell.graph
            output, state = graph.output, carrier(graph)
            if state == output:
                found.append(_fade(name, [flow.distance(LAYER) for flow in flows]))
                continue
            rows = [flow.distance(LAYER) for flow in flows]
            found.append(_fade(f"{name}: ${symbol(output, 't')}$", rows))
            rows = [_carried(flow, state) for flow in flows]
            found.append(_fade(f"{name}: ${symbol(state, 't')}$", rows))
        return found

    def _short(self, checkpoint: Checkpoint) -> str:
        return f"{plain(checkpoint.cell.name)} ({checkpoint.settings.hidden})"

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
        try:
            ids = texts.encode("".join(parts), checkpoint.vocabulary).long()
        except UserError as error:
            raise DrawError(f"--text does not fit the run: {error}") from error
        return ids.view(rows, -1).T.contiguous()

    def factors(self) -> Sequence[Factors]:
        """Return what each step does to a gradient: a simple network, and one with a cell state."""
        if self.given:
            chosen = [moments(find("rnn_tanh"))[-1], self._one()]
        else:
            chosen = [moments(find(kind))[-1] for kind in ("rnn_tanh", "lstm")]
        return [self._factors(each) for each in chosen]

    def _factors(self, checkpoint: Checkpoint, steps: int = 40) -> Factors:
        ids = self._long(checkpoint)[: steps + 1, :1]
        flow = self._flow(checkpoint, ids)
        graph = checkpoint.cell.graph
        state = carrier(graph)
        last = len(ids) - 1
        sizes, units, through = [], [], []
        own = _own(flow, state)
        for step in range(1, last + 1):
            jacobian = flow.jacobian(LAYER, step, step - 1)[own, own]
            sizes.append(torch.linalg.matrix_norm(jacobian, 2))
            units.append(self._direct(flow, step, own, jacobian))
            through.append(torch.linalg.matrix_norm(flow.jacobian(LAYER, step, 0)[own, own], 2))
        name = f"{plain(checkpoint.cell.name)}: {plain(state)}"
        return Factors(
            name,
            torch.stack(sizes).numpy(),
            torch.stack(units).numpy(),
            torch.stack(through).numpy(),
        )

    def _direct(self, flow: GradientFlow, step: int, own: slice, jacobian: Tensor) -> Tensor:
        """Return the factor of every unit on the direct path; without one, its singular values."""
        direct = flow.contributions(LAYER, step).get("direct")
        if direct is not None and direct[own, own].abs().sum() > 0:
            return direct[own, own].diagonal()
        return torch.linalg.svdvals(jacobian)

    def terms(self, limit: int) -> Terms:
        """Measure dC_t/dC_{t-1} step by step, and the popular products over more steps."""
        checkpoint = self._one()
        graph = checkpoint.cell.graph
        state = carrier(graph)
        if state == graph.output:
            raise DrawError(
                f"terms shows the cell state's derivative: {checkpoint.cell.name} has no state "
                f"beside {state}; take a run of a cell such as lstm"
            )
        flow = self._flow(checkpoint)
        last = len(self.text) - 1
        shown = self._window(last + 1, limit)
        first = max(1, shown.start)
        found = [flow.terms(LAYER, step, step - 1) for step in range(first, shown.stop)]
        names = [
            n for n, share in found[0].shares.items() if n != "around" and share.abs().sum() > 0
        ]
        root = found[0].exact.shape[0] ** 0.5
        norm = torch.linalg.matrix_norm
        sizes = [[norm(each.shares[name]) / root for name in names] for each in found]
        around = [
            float(norm(flow.terms(LAYER, step, step - 2).shares["around"]) / root)
            if step > 1
            else 0.0
            for step in range(first, shown.stop)
        ]
        errors = {}
        for k in (1, 2, 3, 5, 10):
            if k <= last:
                pairs = [
                    flow.terms(LAYER, step, step - k)
                    for step in range(k, last + 1, max(1, last // 6))
                ]
                errors[k] = (
                    float(numpy.median([pair.popular_error for pair in pairs])),
                    float(numpy.median([pair.gates_error for pair in pairs])),
                )
        exact = numpy.array([float(norm(each.exact) / root) for each in found])
        tokens = list(self.text[first : shown.stop])
        return Terms(
            self._name(checkpoint),
            tokens,
            names,
            numpy.array(sizes),
            exact,
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
        steps = min(limit, len(self.text) - 1)
        states = list(graph.states)
        sizes = numpy.zeros((steps, 2, 2))
        for step in range(1, steps + 1):
            jacobian = flow.jacobian(LAYER, step, step - 1)
            for a, later in enumerate(states):
                for b, earlier in enumerate(states):
                    part = jacobian[_own(flow, later), _own(flow, earlier)]
                    sizes[step - 1, a, b] = float(torch.linalg.matrix_norm(part, 2))
        return Ways(self._name(checkpoint), states, sizes)


def _fade(name: str, rows: list[Tensor]) -> Fade:
    """Return the sizes of several rows, averaged on the scale of their logarithms."""
    sizes = torch.stack(rows).clamp_min(1e-30).log().mean(0).exp()
    return Fade(name, (sizes / sizes[0]).numpy())


def _carried(flow: GradientFlow, state: str) -> Tensor:
    """Return |ds_T/ds_{T-k}| for k = 0, 1, ... of a state beside the output, over all paths."""
    own = _own(flow, state)
    last = flow.passage(LAYER).steps - 1
    through = torch.eye(sum(flow.passage(LAYER).widths.values()), dtype=torch.float64)
    sizes = [torch.linalg.matrix_norm(through[own, own])]
    for step in range(last, 0, -1):
        through = through @ flow.jacobian(LAYER, step, step - 1)
        sizes.append(torch.linalg.matrix_norm(through[own, own]))
    return torch.stack(sizes)


def _own(flow: GradientFlow, state: str) -> slice:
    """Return the rows of one state among the joined ones."""
    widths = flow.passage(LAYER).widths
    before = 0
    for name, width in widths.items():
        if name == state:
            return slice(before, before + width)
        before += width
    raise KeyError(state)
