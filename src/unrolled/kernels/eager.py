"""The meaning of the equations in PyTorch: what every other backend is compared with.

A graph becomes a program: three short lists of PyTorch calls, one for each phase of its plan. Only
differentiable, out-of-place functions are called, so everything that PyTorch can do to a function
(double backward, forward mode, vmap, compile, export) works on a program.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple, final

import torch
import torch.nn.functional as F
from torch import Tensor

from ..graph.graph import Graph
from ..graph.learned import Size, Term
from ..graph.node import Node, ordered
from ..graph.operation import LEAVES, Operation
from .planning.plan import Bank, Phase, Plan, Product, leaf_phase


def dimension(a: Tensor) -> Tensor:
    """Return how many units there are, (..., 1)."""
    a = torch.atleast_1d(a)  # what is computed of numbers alone has no dimension
    return a.new_full((*a.shape[:-1], 1), a.shape[-1])


def sum_units(a: Tensor) -> Tensor:
    """Return the sum over the units, (..., 1)."""
    return a.sum(-1, keepdim=True)


def broadcast(a: Tensor, like: Tensor) -> Tensor:
    """Return a value with a row for every row of another."""
    return torch.broadcast_to(a, torch.broadcast_shapes(a.shape, like.shape))


def normalize(a: Tensor, epsilon: float) -> Tensor:
    """Return a value less its mean, over its standard deviation."""
    a = torch.atleast_1d(a)
    return F.layer_norm(a, a.shape[-1:], eps=epsilon)


def outer(gradient: Tensor, source: Tensor) -> Tensor:
    """Return the products of all pairs of units."""
    return gradient.unsqueeze(-1) * source.unsqueeze(-2)


def _first_rows(weight: Tensor, count: int, dimension: int) -> Tensor:
    if weight.shape[dimension] == count:
        return weight
    return weight.narrow(dimension, 0, count)


def _padded(bias: Tensor, blocks: tuple[int | None, ...], height: int) -> Tensor:
    """Return a bias, or one for each row, with zeros for each block of a weight that has none."""
    zeros = bias.new_zeros(*bias.shape[:-1], height)
    parts = [zeros if k is None else bias[..., k * height : (k + 1) * height] for k in blocks]
    return torch.cat(parts, -1)


def _biased(source: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return a product with a bias, which may be another for each row."""
    return F.linear(source, weight, bias) if bias.dim() == 1 else F.linear(source, weight) + bias


EAGER: dict[Operation, Any] = {
    Operation.CONSTANT: None,  # a leaf: given to the program as a tensor
    Operation.INPUT: None,
    Operation.STATE: None,
    Operation.LEARNED: None,
    Operation.ADD: torch.add,
    Operation.SUB: torch.sub,
    Operation.MUL: torch.mul,
    Operation.DIV: torch.div,
    Operation.NEG: torch.neg,
    Operation.SIGMOID: torch.sigmoid,
    Operation.TANH: torch.tanh,
    Operation.RELU: torch.relu,
    Operation.EXP: torch.exp,
    Operation.LOG: torch.log,
    Operation.SQRT: torch.sqrt,
    Operation.ABS: torch.abs,
    Operation.MINIMUM: torch.minimum,
    Operation.MAXIMUM: torch.maximum,
    Operation.LESS: torch.lt,
    Operation.LESS_EQUAL: torch.le,
    Operation.SELECT: torch.where,
    Operation.SUM: sum_units,
    Operation.DIMENSION: dimension,
    Operation.BROADCAST: broadcast,
    Operation.NORMALIZE: normalize,
    Operation.AFFINE: torch.add,  # of its products, which the program makes for a bank at a time
    Operation.TRANSPOSED: torch.matmul,
    Operation.OUTER: outer,
}
"""For each operation, the function of its arguments' tensors, rows (..., units)."""

NUMBERED = frozenset({Operation.NORMALIZE})
"""Operations whose function takes the node's attribute, a number, as its last argument."""


class Instruction(NamedTuple):
    """Call a function on some slots and further arguments, and keep the result in a slot."""

    function: Callable[..., Any]
    slots: tuple[int, ...]
    further: tuple[Any, ...]
    target: int


@final
class Program:
    """A graph as lists of PyTorch calls on numbered slots.

    Args:
        graph: the equations of one step.
        sizes: how many units I, H, P and 1 are, by their names in the graph.
        computed: inputs that are not given but made in every step, each by a function of a value.

    Attributes:
        once, hoisted, steps: the instructions of each phase.
        constants: the numbers, by slot.
        inputs, weights, states: the slots that are filled from outside, by name; those of states
            before each step.
        values: the slot of each value that can be recorded, by name.
        next: the slot of each state's next value.
        crossing: the slots that are known for all steps at once and used step by step.
        elementwise: the names of the weights that something else than a product reads.
        varying: the slots, known for all steps and rows at once, that depend on those weights.
    """

    def __init__(
        self,
        graph: Graph,
        sizes: Mapping[Size, int],
        computed: Mapping[str, tuple[Callable[[Tensor], Tensor], Node]] | None = None,
    ) -> None:
        self.graph = graph
        self.sizes = dict(sizes)
        self.computed = dict(computed or {})
        self.plan = Plan(graph)
        self.once: list[Instruction] = []
        self.hoisted: list[Instruction] = []
        self.steps: list[Instruction] = []
        self.constants: dict[int, float] = {}
        self.inputs: dict[str, int] = {}
        self.weights: dict[str, int] = {}
        self.states: dict[str, int] = {}
        self.elementwise: dict[str, None] = {}
        self.varying: list[int] = []
        self._phases: list[Phase] = []  # of each slot
        self._parts: dict[tuple[str, int], int] = {}  # of products, by group and first row
        self._nodes: dict[Node, int] = {}
        self._totals: dict[Node, int] = {}  # of banks of several layers, by the first
        for state in graph.states:
            self._slot(Node(Operation.STATE, (), state))
        self.values = {name: self._slot(node) for name, node in graph.probes.items()}
        self.next = {state: self._next(state) for state in graph.states}
        phases = self._phases
        self.stepped = {name for name, slot in self.values.items() if phases[slot] is Phase.STEP}
        used = {slot for step in self.steps for slot in step.slots} | set(self.next.values())
        self.crossing = tuple(sorted(slot for slot in used if phases[slot] is Phase.HOISTED))
        self.size = len(phases)

    def __reduce__(self) -> tuple[Any, ...]:
        return Program, (self.graph, self.sizes, self.computed)

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return self

    def bank(self, names: Sequence[str]) -> int:
        """Return the slot in which the values of learned layers stand side by side."""
        return self._totals[self.graph.values[names[0]]]

    def _new(self, phase: Phase) -> int:
        self._phases.append(phase)
        return len(self._phases) - 1

    def _emit(
        self, function: Any, slots: Sequence[int], *further: Any, phase: Phase = Phase.ONCE
    ) -> int:
        """Add an instruction to a phase, or to the later one in which its arguments are known."""
        phase = max([phase, *(self._phases[slot] for slot in slots)])
        target = self._new(phase)
        if phase is Phase.ONCE and not set(self.varying).isdisjoint(slots):
            self.varying.append(target)
        instructions = (self.once, self.hoisted, self.steps)[phase]
        instructions.append(Instruction(function, tuple(slots), further, target))
        return target

    def _slot(self, node: Node) -> int:
        """Return the slot of a node; its instructions, and those below it, are added once."""
        for below in ordered([node], self._nodes):
            if below not in self._nodes:  # those of a bank come together
                self._nodes[below] = self._node(below)
        return self._nodes[node]

    def _node(self, node: Node) -> int:
        operation, attribute = node.operation, node.attribute
        if operation in LEAVES:
            return self._leaf(operation, attribute)
        if operation is Operation.AFFINE:
            self._bank(self.plan.banks[node])
            return self._nodes[node]
        slots = [self._nodes[argument] for argument in node.arguments]
        if operation is Operation.TRANSPOSED:
            slots.append(self._transposable(attribute))
        return self._emit(EAGER[operation], slots, *([attribute] if operation in NUMBERED else []))

    def _leaf(self, operation: Operation, attribute: Any) -> int:
        """Return a new slot that is filled from outside."""
        if operation is Operation.LEARNED:
            return self._elementwise(attribute.name)
        if operation is Operation.INPUT and attribute in self.computed:
            function, source = self.computed[attribute]
            return self._emit(function, [self._slot(source)], phase=Phase.STEP)
        slot = self._new(leaf_phase(operation))
        if operation is Operation.CONSTANT:
            self.constants[slot] = attribute
        else:
            named = self.inputs if operation is Operation.INPUT else self.states
            named[attribute] = slot
        return slot

    def _weight(self, name: str) -> int:
        if name not in self.weights:
            self.weights[name] = self._new(Phase.ONCE)
        return self.weights[name]

    def _elementwise(self, name: str) -> int:
        """Return the slot of a weight that something else than a product reads."""
        slot = self._weight(name)
        if name not in self.elementwise:
            self.elementwise[name] = None
            self.varying.append(slot)
        return slot

    def _transposable(self, term: Term) -> int:
        """Return the slot of the rows of one weight of a layer."""
        block, height = term.layer.blocks[term.source], self.sizes[term.layer.size]
        weight = self._weight(f"weight_{block.group}")
        return self._emit(torch.narrow, [weight], 0, block.row * height, height)

    def _bank(self, bank: Bank) -> None:
        """Add up the products of a bank's layers and cut the sum into them."""
        total, *others = (self._part(block.group, block.row) for block in bank[0].attribute.blocks)
        for other in others:
            total = self._emit(torch.add, [total, other])
        if len(bank) == 1:
            self._nodes[bank[0]] = total
            return
        self._totals[bank[0]] = total
        layers = self._emit(torch.chunk, [total], len(bank), -1)
        for index, layer in enumerate(bank):
            self._nodes[layer] = self._emit(operator.getitem, [layers], index)

    def _part(self, group: str, row: int) -> int:
        """Return the slot of the part of a product that begins at a row."""
        if (group, row) not in self._parts:
            self._product(self.plan.products[group])
        return self._parts[group, row]

    def _product(self, product: Product) -> None:
        """Multiply, and cut the rows into parts."""
        group, bias = product.group, product.bias
        height = self.sizes[product.size]
        source = self._nodes[product.source]
        if self._phases[source] is Phase.ONCE and self.graph.sizes[product.source] == "one":
            source = self._emit(torch.atleast_1d, [source])
        slots, function = [source, self._rows(f"weight_{group}", len(bias) * height)], F.linear
        if any(block is not None for block in bias):
            rows = max(block for block in bias if block is not None) + 1
            is_whole = bias == tuple(range(len(bias)))
            if not is_whole:
                self._elementwise(f"bias_{group}")
            slots.append(self._rows(f"bias_{group}", rows * height, -1))
            if not is_whole:
                slots[2], function = self._emit(_padded, [slots[2]], bias, height), _biased
        result = self._emit(function, slots)
        if len(product.widths) == 1:
            self._parts[group, 0] = result
            return
        parts = self._emit(torch.split, [result], [width * height for width in product.widths], -1)
        for index, row in enumerate(accumulate(product.widths[:-1], initial=0)):
            self._parts[group, row] = self._emit(operator.getitem, [parts], index)

    def _rows(self, name: str, count: int, dimension: int = 0) -> int:
        """Return the slot of the rows that a graph uses: part of a cell may leave out the last."""
        return self._emit(_first_rows, [self._weight(name)], count, dimension)

    def _next(self, state: str) -> int:
        """Return the slot of a state's next value, with a row for every row of the old one."""
        slot = self.values[state]
        if self._phases[slot] is Phase.ONCE:
            return self._emit(broadcast, [slot, self.states[state]])
        return slot


def run(
    program: Program,
    weights: Mapping[str, Tensor],
    inputs: Mapping[str, Tensor],
    states: Mapping[str, Tensor],
    record: Sequence[str],
    batch_sizes: Sequence[int] | None = None,
    reverse: bool = False,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Run a cell over a sequence.

    Args:
        program: of the cell.
        weights: its parameters, by name, without layer suffix.
        inputs: by name, (T, B, units); with `batch_sizes` (sum of them, units).
        states: the states before the first step, by name, (B, units).
        record: the names of the values to return for every step.
        batch_sizes: of ragged input: how many rows step t has. Rows are sorted by falling length,
            so that the rows of each step are the first ones.
        reverse: whether steps run from the last to the first.

    Returns:
        The recorded values, shaped like the inputs, and each state after its row's last step.
    """
    x = next(iter(inputs.values()))
    slots = hoisted(program, weights, inputs)
    steps = {
        slot: slots[slot].unbind(0) if batch_sizes is None else slots[slot].split(list(batch_sizes))
        for slot in program.crossing
    }
    taps = {name: program.values[name] for name in record}
    recorded: dict[str, list[Tensor]] = {name: [] for name in taps if name in program.stepped}
    known = {name: slots[slot] for name, slot in taps.items() if name not in recorded}
    rows = _Rows(states, batch_sizes, reverse)
    count = x.shape[0] if batch_sizes is None else len(batch_sizes)
    for t in range(count - 1, -1, -1) if reverse else range(count):
        if batch_sizes is not None:
            rows.resize(batch_sizes[t])
        for state, slot in program.states.items():
            slots[slot] = rows.active[state]
        for slot, values in steps.items():
            slots[slot] = values[t]
        execute(program.steps, slots)
        rows.active = {state: slots[slot] for state, slot in program.next.items()}
        for name, values in recorded.items():
            values.append(slots[taps[name]])
    join = torch.stack if batch_sizes is None else torch.cat
    sequences = {
        name: join(recorded[name][:: -1 if reverse else 1])
        if name in recorded
        else spread(known[name], x)
        for name in taps
    }
    return sequences, rows.last()


def spread(value: Tensor, x: Tensor) -> Tensor:
    """Return a value that is known before the first step as one for every row and step of x."""
    return torch.broadcast_to(value, (*x.shape[:-1], *(value.shape[-1:] or (1,))))


def hoisted(
    program: Program, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor]
) -> list[Any]:
    """Return the slots of a program with all filled in that is known before the first step."""
    slots = filled(program, weights, inputs)
    execute(program.once, slots)
    execute(program.hoisted, slots)
    return slots


def filled(
    program: Program, weights: Mapping[str, Tensor], inputs: Mapping[str, Tensor]
) -> list[Any]:
    """Return the slots of a program with all filled in that is given."""
    x = next(iter(inputs.values()))
    slots: list[Any] = [None] * program.size
    for slot, value in program.constants.items():
        slots[slot] = x.new_full((), value)
    for name, slot in program.inputs.items():
        slots[slot] = inputs[name]
    for name, slot in program.weights.items():
        slots[slot] = weights[name]
    return slots


def execute(instructions: Sequence[Instruction], slots: list[Any]) -> None:
    """Call instructions, in their order."""
    for function, arguments, further, target in instructions:
        slots[target] = function(*[slots[slot] for slot in arguments], *further)


def differentiated(
    outputs: Sequence[tuple[Tensor, Tensor]],
    inputs: Sequence[Tensor],
    wanted: Sequence[bool],
    again: bool,
) -> list[Tensor | None]:
    """Return the gradients of outputs, each given with its own, with respect to wanted inputs.

    Where all that an output comes from is numbers and conditions, it has none.
    """
    pairs = [(output, gradient) for output, gradient in outputs if output.requires_grad]
    if not pairs:
        return [None for _ in wanted]
    found = iter(
        torch.autograd.grad(
            [output for output, _ in pairs],
            [tensor for tensor, asked in zip(inputs, wanted, strict=True) if asked],
            [gradient for _, gradient in pairs],
            create_graph=again,
            allow_unused=True,
        )
    )
    return [next(found) if asked else None for asked in wanted]


@final
class _Rows:
    """The states of the rows that take part in a step.

    Of ragged input, sorted by falling length, rows leave at the end on the way forward and enter
    at the end on the way back.

    Attributes:
        active: those states, by name.
    """

    def __init__(
        self, states: Mapping[str, Tensor], batch_sizes: Sequence[int] | None, reverse: bool
    ) -> None:
        self.initial = states
        self.count = self.total = next(iter(states.values())).shape[0]
        self.active = dict(states)
        if batch_sizes is not None and reverse:
            self.count = batch_sizes[-1]
            self.active = {name: state[: self.count] for name, state in states.items()}
        self.finished: list[dict[str, Tensor]] = []  # rows that have left, the last to leave first

    def resize(self, count: int) -> None:
        """Let so many rows take part."""
        old, self.count = self.count, count
        if count < old:
            self.finished.insert(0, {name: state[count:] for name, state in self.active.items()})
            self.active = {name: state[:count] for name, state in self.active.items()}
        elif count > old:
            self.active = {
                name: torch.cat([state, self.initial[name][old:count]])
                for name, state in self.active.items()
            }

    def last(self) -> dict[str, Tensor]:
        """Return the states of all rows after their last step; without a step, the first ones."""
        if self.finished:
            parts = [self.active, *self.finished]
            return {name: torch.cat([part[name] for part in parts]) for name in self.initial}
        self.resize(self.total)
        return {name: self.active[name] for name in self.initial}
