"""Gradient flow: how a loss reaches the states of every step, and how the steps hand it on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.utils.rnn import PackedSequence

from ..display import curve, listed, number, page, paragraph, table
from ..nn.sequence import Packed
from .jacobian import rows_of
from .memory import FRACTION, MemoryLength, ablation, influence, memory_length
from .passage import Passage
from .paths import Terms, contributions, terms
from .recording import in_time
from .watch import called, run_model, unknown, watching

Loss = Callable[[Any], Tensor]
INDEPENDENT = (
    "gradient_flow: the loss does not depend on the states of these layers: compute it from "
    "the model's output, without detach(), argmax() or no_grad() on the way"
)


def gradient_flow(
    model: Module, x: Any, loss: Loss | None = None, of: str | Iterable[str] = "*"
) -> GradientFlow:
    """Follow the gradient of a loss back through every step of a model's recurrent layers.

    The model runs once, in the mode it is in, and keeps no gradient: ``.grad`` of its parameters
    does not change. `torch.nn` modules inside are adopted for the run and released after it.

    Args:
        model: with layers or cells of this library, or of `torch.nn`, anywhere in it.
        x: its input; a tuple stands for several arguments, a dict for named ones.
        loss: of the model's output to a scalar. Without: the sum of the output at the last step
            of every row, where the output has steps, of all of it elsewhere; of a bidirectional
            layer by itself each direction's last step.
        of: which layers, by name: one glob or several, such as ``encoder.*``.

    Raises:
        TypeError: if `model` is no module, `loss` no function, or what it returns no tensor.
        ValueError: for a model without recurrent modules, a name that matches none, a loss that
            is not a scalar or does not depend on the states.

    >>> import torch, unrolled
    >>> layer = unrolled.LSTM(3, 5)
    >>> flow = unrolled.gradient_flow(layer, torch.randn(7, 2, 3))
    >>> flow.norms["l0"].shape
    torch.Size([7, 2])
    >>> flow.jacobian("l0", later=6, earlier=2).shape
    torch.Size([10, 10])
    """
    if loss is not None and not callable(loss):
        raise TypeError(
            "gradient_flow: loss= should be a function of the model's output, got "
            f"{type(loss).__name__}"
        )
    with watching(model, of, "gradient_flow") as watch, torch.enable_grad():
        output = run_model(model, x)
        passages = called(watch, "gradient_flow")
        value = loss(output) if loss is not None else default_loss(model, passages, output)
        _arrive(passages, _checked(value))
    return GradientFlow(passages, value.item())


def default_loss(model: Module, passages: Mapping[str, Passage], output: Any) -> Tensor:
    """Return the sum of the output at the last step; see `gradient_flow`."""
    found = _first(output)
    if found is None:
        raise ValueError(
            f"gradient_flow: the model's output ({type(output).__name__}) holds no tensor of "
            "floating-point numbers: pass loss=, a function of the output to a scalar"
        )
    passage = next(iter(passages.values()))
    batch_first, batched = passage.layout
    lengths = torch.tensor([max(passage.order(row), default=-1) + 1 for row in range(passage.rows)])
    if isinstance(found, PackedSequence):
        packed = Packed("gradient_flow", found)
        found, lengths, batch_first = packed.spread(packed.data), packed.lengths, False
    elif not batched:
        found = found.unsqueeze(1)
    if batched and batch_first and found.dim() > 1:
        found = found.transpose(0, 1)
    shape = (passage.steps, passage.rows)
    if found.dim() < 3 or tuple(found.shape[:2]) != shape or len(lengths) != passage.rows:
        return found.sum()
    rows = torch.arange(passage.rows)[lengths > 0]
    last = found[(lengths[lengths > 0] - 1).to(found.device), rows.to(found.device)]
    if not getattr(model, "bidirectional", False):
        return last.sum()
    half = found.shape[-1] // 2
    return last[..., :half].sum() + found[0, ..., half:].sum()


def _first(output: Any) -> Any:
    """Return the first floating-point tensor, or packed sequence, in an output."""
    if isinstance(output, PackedSequence):
        return output
    if isinstance(output, Tensor):
        return output if output.is_floating_point() else None
    if isinstance(output, Mapping):
        output = list(output.values())
    elif hasattr(output, "__dataclass_fields__"):
        output = [getattr(output, name) for name in output.__dataclass_fields__]
    if isinstance(output, (tuple, list)):
        return next((found for each in output if (found := _first(each)) is not None), None)
    return None


def _checked(value: Any) -> Tensor:
    """Return a loss that can be differentiated."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"gradient_flow: loss= should return a tensor, got {type(value).__name__}; build it "
            "from the model's output with PyTorch's operations"
        )
    if value.numel() != 1:
        raise ValueError(
            f"gradient_flow: loss= should return a scalar, got shape {tuple(value.shape)}: reduce "
            "it, for example by .sum() or .mean()"
        )
    if not value.requires_grad:
        raise ValueError(INDEPENDENT)
    return value


def _arrive(passages: Mapping[str, Passage], value: Tensor) -> None:
    """Bring the gradients of a loss to the visits."""
    visits = [visit for passage in passages.values() for visit in passage.visits]
    places = [(visit, name, edge) for visit in visits for name, edge in visit.edges.items()]
    edges = [edge for _, _, edge in places]
    ones = torch.ones_like(value)
    found = torch.autograd.grad(value, edges, ones, allow_unused=True) if edges else ()
    if all(gradient is None for gradient in found):
        raise ValueError(INDEPENDENT)
    for (visit, name, _), gradient in zip(places, found, strict=True):
        visit.arriving[name] = gradient
        visit.edges = {}


@final
class GradientFlow:
    """The result of `gradient_flow`.

    Layers go by their names (``encoder.lstm.l0``, ``l0_reverse``; ``decoder.cell``), steps by
    their places in the sequence, from 0. The reverse direction takes its steps from the last to
    the first: there the later of two steps is the one with the smaller number. All numbers are
    float64.

    Attributes:
        loss: its value.
        norms: by layer, in the layout of its output, (T, B), (B, T) if it is `batch_first` or (T,)
            without a batch: the norm of the gradient with respect to all states after a step
            together; 0 after a row's end.
        state_norms: by layer and state, the same for each state.
    """

    def __init__(self, passages: Mapping[str, Passage], loss: float) -> None:
        self.loss = loss
        self._passages = dict(passages)
        self.norms: dict[str, Tensor] = {}
        self.state_norms: dict[str, dict[str, Tensor]] = {}
        for name, passage in passages.items():
            norms = {state: norm.squeeze(-1) for state, norm in _gradients(passage, _norm).items()}
            self.state_norms[name] = norms
            self.norms[name] = _norm(torch.stack(list(norms.values()), -1)).squeeze(-1)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers."""
        return tuple(self._passages)

    def passage(self, layer: str) -> Passage:
        """Return what went through a layer; raise ValueError, with the nearest names, for an
        unknown one.
        """
        if layer not in self._passages:
            raise ValueError(unknown(layer, self._passages))
        return self._passages[layer]

    def gradient(self, layer: str) -> dict[str, Tensor]:
        """Return the gradient of the loss with respect to each state after every step, (T, B,
        units) in the layout of the layer's output.
        """
        return _gradients(self.passage(layer), lambda gradient: gradient)

    def jacobian(self, layer: str, later: int, earlier: int, row: int = 0) -> Tensor:
        """Return the derivative of the states after one step by those after an earlier one, (S, S).

        The states are joined in the order of the cell's signature: (h, c) for an LSTM. The inputs
        of the steps between are held fixed.

        Raises:
            ValueError: for a layer, step or row that there is not, for steps in the wrong order,
                and where a model changes the states between two calls.
        """
        passage = self.passage(layer)
        return passage.carried(passage.identity, passage.way(later, earlier, row), row)

    def spectra(self, layer: str, row: int = 0) -> Tensor:
        """Return the singular values of every step's Jacobian, (T, S), falling; 0 after the row's
        end.
        """
        passage = self.passage(layer)
        passage.check_row(row)
        found = torch.zeros(passage.steps, sum(passage.widths.values()), dtype=torch.float64)
        for step in passage.order(row):
            found[step] = torch.linalg.svdvals(passage.carried(passage.identity, [step], row))
        return found

    def distance(
        self, layer: str, later: int | None = None, row: int = 0, ord: str | int = "fro"
    ) -> Tensor:
        """Return the size of dh_T/dh_{T-k} for k = 0, 1, 2, ...; h is the layer's output state.

        Args:
            layer: its name.
            later: T; the row's last step if left out.
            row: of the batch.
            ord: ``"fro"``, the root of the sum of squares, or 2, the greatest singular value.

        Returns:
            (K + 1,), K the number of steps before T; the paths through all states are counted.
        """
        if ord not in ("fro", 2):
            raise ValueError(f"distance: ord should be 'fro' or 2, got {ord!r}")
        passage = self.passage(layer)
        passage.check_row(row)
        own = rows_of(passage.graph.output, passage.widths)
        parts = passage.fading(row, passage.last(row) if later is None else later)
        return torch.stack([torch.linalg.matrix_norm(part[:, own], ord).cpu() for part in parts])

    def contributions(self, layer: str, step: int, row: int = 0) -> dict[str, Tensor]:
        """Return the Jacobian of one step by the last learned layer on the way, (S, S) each.

        Returns:
            ``direct`` for the paths that meet no learned layer, such as the cell state times the
            forget gate, and one matrix for each learned layer that old states reach. Their sum is
            the Jacobian of the step, for any cell; for the first step, by the initial states.
        """
        passage = self.passage(layer)
        passage.check_row(row)
        passage.check_step(step, row, "step")
        found = contributions(passage.step(row, step), passage.identity.unsqueeze(0))
        return {name: value[0] for name, value in found.items()}

    def terms(
        self, layer: str, later: int, earlier: int, row: int = 0, state: str | None = None
    ) -> Terms:
        """Return how the cell state at one step depends on an earlier one, gate by gate: see
        `Terms`.

        Args:
            layer: its name.
            later, earlier: steps.
            row: of the batch.
            state: which; the cell state (of cells without one, the output state) if left out.
        """
        return terms(self.passage(layer), later, earlier, row, state)

    def memory(self, layer: str, row: int = 0, fraction: float = FRACTION) -> MemoryLength:
        """Return how many steps a layer remembers, by its gates and as measured: see
        `MemoryLength`.
        """
        return memory_length(self.passage(layer), row, fraction)

    def influence(self, layer: str, row: int = 0) -> Tensor:
        """Return how much of the input at step s is in the output state at step t, by gradient ×
        input.

        Returns:
            (T, T): the norm of (dh_t/dx_s) x_s at row t and column s; x is the layer's own input.
        """
        return influence(self.passage(layer), row)

    def ablation(self, layer: str, row: int = 0, by: str = "zero") -> Tensor:
        """Return how much of the input at step s is in the output state at step t, by leaving it
        out.

        Args:
            layer: its name.
            row: of the batch.
            by: what takes the input's place: ``"zero"``, or ``"mean"``, that of the row's steps.

        Returns:
            (T, T): the norm of the change of h_t at row t and column s.
        """
        return ablation(self.passage(layer), row, by)

    def __repr__(self) -> str:
        broken = [name for name, norms in self.norms.items() if not norms.isfinite().all()]
        more = f"; not finite in {listed(broken)}" if broken else ""
        return f"GradientFlow(loss={number(self.loss, 6)}, layers: {listed(self.layers)}{more})"

    def _repr_html_(self) -> str:
        """Return a table of all layers: how the gradient's norm goes over the steps."""
        titles = ("layer", "cell", "steps", "rows", "least", "greatest", "norm at each step (log)")
        return page(
            paragraph(f"of a loss of {number(self.loss, 6)}", "GradientFlow"),
            table(titles, [(name, *self._described(name)) for name in self.layers]),
        )

    def _described(self, layer: str) -> tuple[Any, ...]:
        """Return a row of the table: the mean norm over the rows that take each step."""
        passage = self._passages[layer]
        norms, valid = self.norms[layer], passage.valid()
        batch_first, batched = passage.layout
        norms = norms.unsqueeze(1) if not batched else norms.T if batch_first else norms
        counts = valid.sum(1)
        means = (norms.where(valid, 0).sum(1) / counts).tolist()
        steps = [_log(mean, n) for mean, n in zip(means, counts.tolist(), strict=True)]
        drawn = curve(steps, f"log10 of the gradient at {layer}")
        finite = norms[valid & norms.isfinite()]
        head = (passage.graph.name, passage.steps, passage.rows)
        if finite.numel() == 0:
            return (*head, None, None, drawn)
        return (*head, finite.min().item(), finite.max().item(), drawn)


def _log(norm: float, rows: int) -> float | str:
    """Return the logarithm of a step's norm; in words where there is none."""
    if not rows:
        return "no row"
    return "0" if norm == 0 else math.log10(norm)


def _gradients(passage: Passage, measure: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
    """Return what is measured of the gradient with respect to each state after every step.

    Args:
        passage: of a layer, after gradients have arrived.
        measure: of gradients (..., units), as (..., N).

    Returns:
        By state, (T, B, N) in the layout of the layer's output.
    """
    calls: dict[str, list[Tensor]] = {state: [] for state in passage.graph.states}
    for visit in passage.visits:
        pieces = [
            (rows.start, {state: measure(value) for state, value in gradients.items()})
            for rows, gradients in visit.gradients()
        ]
        pieces.sort(key=lambda piece: piece[0])
        for state, measured in calls.items():
            whole = torch.cat([values[state] for _, values in pieces])
            measured.append(visit.call.form.spread(whole))
    return {
        state: passage.layout.outward(in_time(measured, passage.rows))
        for state, measured in calls.items()
    }


def _norm(value: Tensor) -> Tensor:
    """Return the norm over units, kept as a dimension; squares of small numbers would be 0."""
    scale = value.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(value.dtype).tiny)
    return scale * (value / scale).norm(dim=-1, keepdim=True)
