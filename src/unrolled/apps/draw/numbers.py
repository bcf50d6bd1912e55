"""The numbers of pictures, measured on a model: a run, or a small one that is trained for it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, final

import numpy
import torch
from torch import Tensor

from ...cells import find
from ...display import counted
from ...draw.charts import label
from ...draw.notice import say
from ...draw.subject import Direct, Factors, Fade, Reading, Story, Terms, Ways
from ...draw.timeline import cell_name, joined, plain, read
from ...draw.words import Words
from ...errors import DrawError, UserError
from ...printing.latex import symbol
from ...probe.flow import GradientFlow, gradient_flow
from ...probe.jacobian import rows_of
from ...probe.memory import direct_factors, influences
from ...probe.paths import AROUND, carrier, coefficient, written
from ...probe.record import record
from ..train import checkpoint as checkpoints
from ..train import text as texts
from . import models as small
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
ROWS = 4
"""Places in a text, or excerpts of it, that such a walk back begins at."""
STEPS = 40
"""Steps whose factors are shown."""
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
            raise DrawError(f"--text has {counted(len(text), 'characters')}: give it at least 2")
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
        said = self.words("{cell}, {units}, seed {seed}, after {steps} of training")
        return said.format(
            cell=cell_name(checkpoint.cell),
            units=self.words.counted(checkpoint.settings.hidden, "units"),
            seed=checkpoint.settings.seed,
            steps=self.words.counted(checkpoint.step, "steps"),
        )

    def _names(self, checkpoints: Sequence[Checkpoint], names: Sequence[str]) -> list[str]:
        """Return names of models, told apart by their runs where some would be the same."""
        if len(set(names)) == len(names) or len(checkpoints) != len(self.runs):
            return list(names)
        order = [self.given.index(each) for each in checkpoints]
        places = [plain(str(self.runs[n])) for n in order]
        if len(set(places)) < len(places):  # one run, given twice
            places = [f"{place} {n + 1}" for n, place in zip(order, places, strict=True)]
        return [f"{name}, {place}" for name, place in zip(names, places, strict=True)]

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
        first = steps - limit
        self.say(
            f"the text has {steps} characters: the drawing shows the last {limit}, "
            f"steps {first + 1} to {steps}"
        )
        return slice(first, steps)

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
        tokens = list(self.text[shown])
        return Story(self._name(checkpoint), graph, tokens, values, shown.start, len(ids))

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
        if len(sizes := sorted({each.settings.hidden for each in chosen})) > 1:
            raise DrawError(f"film shows checkpoints of one size; these have {sizes} units")
        chosen = sorted(chosen, key=lambda each: each.step)
        shown = self._window(len(self.text), limit)
        stories = [self._recorded(each, self._ids(each), shown) for each in chosen]
        names = self._names(chosen, [story.model for story in stories])
        losses = [_bits(each, self._ids(each)) for each in chosen]
        return [
            story._replace(model=name, loss=loss)
            for story, name, loss in zip(stories, names, losses, strict=True)
        ]

    def influence(self, limit: int) -> tuple[Story, ndarray]:
        """Measure gradient × input, of all inputs that were read."""
        checkpoint = self._one()
        ids = self._ids(checkpoint)
        shown = self._window(len(ids), limit)
        story = self._recorded(checkpoint, ids, shown)
        found = numpy.zeros((shown.stop - shown.start, shown.stop))
        rows = influences(self._flow(checkpoint).passage(LAYER), 0, shown.start)
        for row, sizes in zip(found, rows, strict=False):  # no further than what is shown
            row[: len(sizes)] = sizes.numpy()
        return story, found

    def reading(self) -> Reading:
        """Return a question, read to its class by a small model of its own."""
        from .models import CODE, FITTED, SEED, TEMPLATES, read, sentences

        if self.given:
            raise DrawError("intent reads words with a classifier of its own: leave out --run")
        words, probabilities = read()
        known = [sentence for sentence, _ in sentences()]
        return Reading(
            words,
            list(TEMPLATES),
            probabilities.double().numpy(),
            CODE,
            len(known),
            words in known,
            SEED,
            FITTED,
        )

    def fades(self) -> Sequence[Fade]:
        """Measure |ds_T/ds_{T-k}| of the output state, and of the memory's beside it.

        Over excerpts of a text that no model was trained on; of a given text over some of its T,
        all of it being read from its beginning.
        """
        models = self._all(*KINDS)
        short = [f"{cell_name(each.cell)} ({each.settings.hidden})" for each in models]
        return self._fades(models, self._names(models, short))

    def trainings(self) -> Sequence[Fade]:
        """Measure the same of the runs; without runs, of the memories of small models before, while
        and after they are trained.
        """
        if self.given:
            return self.fades()
        found = []
        for kind in (KINDS[0], KINDS[-1]):
            models = small.progress(find(kind))
            said = self.words("{cell}, trained {steps}")
            names = [
                said.format(cell=kind, steps=self.words.counted(each.step, "steps"))
                for each in models
            ]
            found += self._fades(models, names, of_outputs=False)
        return found

    def _fades(
        self, models: Sequence[Checkpoint], names: Sequence[str], of_outputs: bool = True
    ) -> list[Fade]:
        """Measure models, of their memories and of their outputs beside these."""
        found = []
        seeds = ", ".join(map(str, dict.fromkeys(each.settings.seed for each in models)))
        *others, last = dict.fromkeys(each.step for each in models)
        trained_for = ", ".join([*map(str, others), self.words.counted(last, "steps")])
        said = self.words("seed {seed}, after {steps} of training")
        after = said.format(seed=seeds, steps=trained_for)
        for checkpoint, name in zip(models, names, strict=True):
            graph = checkpoint.cell.graph
            walks, where = self._walks(checkpoint, models)
            outputs = [graph.output] if of_outputs else []
            for state in dict.fromkeys((*outputs, carrier(graph))):
                sizes = [_sizes(flow, state, later) for flow, later in walks]
                about = joined(self.words, where, after)
                found.append(_fade(name, _derivative(state, "T", "T-k"), sizes, about))
        return found

    def _walks(
        self, checkpoint: Checkpoint, models: Sequence[Checkpoint]
    ) -> tuple[list[tuple[GradientFlow, int]], str]:
        """Return flows with the steps at which walks back begin, and these in words."""
        if self.text is SENTENCE:
            ids = self._excerpts(checkpoint, models)
            flows = [self._flow(checkpoint, ids[:, r : r + 1]) for r in range(ids.shape[1])]
            said = self.words("geometric mean of {count} excerpts of {characters} of help topics")
            where = said.format(
                count=len(flows), characters=self.words.counted(len(ids), "characters")
            )
            return [(flow, len(ids) - 1) for flow in flows], where
        count, flow = len(self.text), self._flow(checkpoint)
        rows = ROWS if count > (HORIZON + 1) * ROWS else 1
        lasts = [count * (row + 1) // rows - 1 for row in range(rows)]
        where = "$T$ = " + ", ".join(str(last + 1) for last in lasts)
        if rows > 1:
            where = self.words("geometric mean of {places}").format(places=where)
        return [(flow, last) for last in lasts], joined(
            self.words, read(self.words, self.text), where
        )

    def _excerpts(
        self, checkpoint: Checkpoint, models: Sequence[Checkpoint], rows: int = ROWS
    ) -> Tensor:
        """Return excerpts of Python's help topics, (T, rows), the same for all of some models."""
        known = set(checkpoint.vocabulary).intersection(*(each.vocabulary for each in models))
        whole = texts.default()
        words = "".join(letter for letter in whole[len(whole) * 2 // 3 :] if letter in known)
        length = min(HORIZON + 1, len(words) // rows)
        if length < 2:
            raise DrawError("these runs know too few characters of the help topics: give --text")
        stride = len(words) // rows
        parts = [words[r * stride : r * stride + length] for r in range(rows)]
        return self._ids(checkpoint, "".join(parts)).view(rows, -1).T.contiguous()

    def factors(self) -> Sequence[Factors]:
        """Return what each step does to a gradient: two models' whole Jacobians, direct paths last.

        Of a simple network beside the run or a network with a cell state; of two runs, theirs. A
        run and a network of ours differ in text and training: both names say in what.
        """
        if len(self.given) == 2:
            models = self.given
        else:
            models = [trained("rnn_tanh"), self._one() if self.given else trained("lstm")]
        short = [self._name(each) for each in models]
        if len(self.given) == 1:
            short = [self._trained_on(*pair) for pair in zip(short, models, strict=True)]
            self.say(
                f"the run is shown beside a small {models[0].cell.name} of our own: sizes, texts "
                "and trainings differ, as their titles say; --run given twice compares two runs"
            )
        named = list(zip(models, self._names(models, short), strict=True))
        stretches = [(*self._stretch(each, models), name) for each, name in named]
        direct = [_along(*stretch) for stretch in stretches]
        return [*(_whole(*stretch) for stretch in stretches), *filter(None, direct)]

    def _trained_on(self, name: str, checkpoint: Checkpoint) -> str:
        """Return a model's name with the text that it was trained on."""
        whole = checkpoint.digest == texts.digest(texts.default())
        part = checkpoint.digest == texts.digest(texts.default()[: small.LETTERS])
        on = "trained on Python's help topics" if whole else "trained on a text of its own"
        if part:
            on = "trained on a part of Python's help topics"
        return joined(self.words, name, self.words(on))

    def _stretch(
        self, checkpoint: Checkpoint, models: Sequence[Checkpoint]
    ) -> tuple[GradientFlow, int, int, str]:
        """Return a flow, the first step whose factors are shown, the number of steps, and the text
        in words.
        """
        if self.text is SENTENCE:
            flow = self._flow(checkpoint, self._excerpts(checkpoint, models)[: STEPS + 1, :1])
            count = flow.passage(LAYER).steps
            said = self.words("text: an excerpt of Python's help topics, {characters}")
            return flow, 1, count, said.format(characters=self.words.counted(count, "characters"))
        count = len(self.text)
        said = self.words.counted(count, "characters")
        where = joined(self.words, read(self.words, self.text), said)
        return self._flow(checkpoint), max(1, count - STEPS), count, where

    def direct(self, limit: int) -> Direct:
        """Return the factors of the memory's direct path."""
        checkpoint = self._one()
        graph = checkpoint.cell.graph
        state = carrier(graph)
        factor = coefficient(graph, state)
        flow = self._flow(checkpoint)
        values = direct_factors(flow.passage(LAYER))
        if factor is None or values is None:
            raise DrawError(
                f"spectrum shows the factor of a state's direct path, such as a forget gate: "
                f"{checkpoint.cell.name} has none"
            )
        shown = self._window(len(values), limit)
        return Direct(
            self._name(checkpoint),
            state,
            written(graph, factor),
            list(self.text[shown]),
            values[shown].numpy(),
            shown.start,
            len(values),
        )

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
        names = [
            name
            for name in found[0].shares
            if name != AROUND and any(each.shares[name].abs().sum() > 0 for each in found)
        ]
        root = found[0].exact.shape[0] ** 0.5

        def size(matrix: Tensor) -> float:
            return float(torch.linalg.matrix_norm(matrix) / root)

        around = [math.nan] * max(0, 2 - first) + [
            size(flow.terms(LAYER, step, step - 2).shares[AROUND])
            for step in range(max(2, first), shown.stop)
        ]
        errors = {}
        for k in (1, 2, 3, 5, 10):
            if k < shown.stop:
                steps = range(max(k, first), shown.stop)
                pairs = [flow.terms(LAYER, step, step - k) for step in steps]
                both = zip(*((pair.popular_error, pair.gates_error) for pair in pairs), strict=True)
                errors[k] = tuple(float(numpy.median(each)) for each in both)
        return Terms(
            self._name(checkpoint),
            state,
            checkpoint.cell.to_json() == find("lstm").to_json(),
            list(self.text[first : shown.stop]),
            names,
            numpy.array([[size(each.shares[name]) for name in names] for each in found]),
            numpy.array([size(each.exact) for each in found]),
            numpy.array(around),
            errors,
            first,
            last + 1,
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
        flow, upper = self._flow(checkpoint), carrier(graph)
        states = [*(state for state in graph.states if state != upper), upper]
        rows = [_own(flow, state) for state in states]
        shown = self._window(len(self.text), limit + 1)
        steps = range(shown.start + 1, shown.stop)
        jacobians = [flow.jacobian(LAYER, step, step - 1) for step in steps]
        sizes = [
            [[_greatest(each[later, earlier]) for earlier in rows] for later in rows]
            for each in jacobians
        ]
        belt = torch.eye(len(jacobians[0][rows[-1]]), dtype=torch.float64)
        for each in jacobians:
            belt = each[rows[-1], rows[-1]] @ belt
        exact = flow.jacobian(LAYER, shown.stop - 1, shown.start)[rows[-1], rows[-1]]
        return Ways(
            self._name(checkpoint),
            states,
            list(self.text[shown]),
            numpy.array(sizes),
            _greatest(belt),
            _greatest(exact),
            shown.start,
            len(self.text),
        )


def _greatest(matrix: Tensor) -> float:
    """Return the greatest singular value."""
    return float(torch.linalg.matrix_norm(matrix, 2))


def _derivative(states: str | Sequence[str], later: str, earlier: str) -> str:
    """Return the derivative of states by themselves as a formula."""
    names = [states] if isinstance(states, str) else states
    new, old = (", ".join(symbol(name, at) for name in names) for at in (later, earlier))
    if len(names) > 1:
        new, old = f"({new})", f"({old})"
    return f"$\\partial {new} / \\partial {old}$"


def _whole(flow: GradientFlow, first: int, count: int, where: str, name: str) -> Factors:
    """Return the singular values of each step's Jacobian, and the size of their product."""
    units, sizes = [], []
    passage = flow.passage(LAYER)
    product = passage.identity
    for step in range(first, count):
        jacobian = flow.jacobian(LAYER, step, step - 1)
        product = jacobian @ product
        units.append(torch.linalg.svdvals(jacobian))
        sizes.append(_greatest(product))
    formula = _derivative(list(passage.widths), "t", "t-1")
    return Factors(
        name, formula, True, torch.stack(units).numpy(), numpy.array(sizes), first, count, where
    )


def _along(flow: GradientFlow, first: int, count: int, where: str, name: str) -> Factors | None:
    """Return the same of the direct path of the memory; None of a cell without one."""
    graph, values = flow.passage(LAYER).graph, direct_factors(flow.passage(LAYER))
    factor = coefficient(graph, carrier(graph))
    if values is None or factor is None:
        return None
    units = values[first:count].abs()
    sizes = units.cumprod(0).amax(1)
    formula = label(written(graph, factor))
    return Factors(name, formula, False, units.numpy(), sizes.numpy(), first, count, where)


def _bits(checkpoint: Checkpoint, ids: Tensor) -> float:
    """Return bits per character, every character of a text but the first predicted once."""
    with torch.no_grad():
        scores = checkpoint.model().eval()(ids)[0]
    loss = torch.nn.functional.cross_entropy(scores[:-1, 0].double(), ids[1:, 0])
    return float(loss) / math.log(2)


def _fade(model: str, derivative: str, rows: list[Tensor], where: str) -> Fade:
    """Return the sizes of several walks, averaged on the scale of their logarithms.

    Where one of them has come to 0, so has their mean.
    """
    length = min(map(len, rows))
    sizes = torch.stack([row[:length] / row[0] for row in rows]).log().mean(0).exp()
    return Fade(model, derivative, sizes.numpy(), where)


def _sizes(flow: GradientFlow, state: str, later: int) -> Tensor:
    """Return |ds_T/ds_{T-k}| for k = 0, 1, ... of a state, over all paths, (K + 1,), float64."""
    own, parts = _own(flow, state), flow.passage(LAYER).fading(0, later, state)
    return torch.stack([_frobenius(part[:, own]) for part in islice(parts, HORIZON + 1)])


def _frobenius(matrix: Tensor) -> Tensor:
    """Return the Frobenius norm; squares of small numbers would be 0."""
    scale = matrix.abs().max().clamp_min(torch.finfo(matrix.dtype).tiny)
    return scale * torch.linalg.matrix_norm(matrix / scale)


def _own(flow: GradientFlow, state: str) -> slice:
    """Return the rows of one state among the joined ones."""
    return rows_of(state, flow.passage(LAYER).widths)
