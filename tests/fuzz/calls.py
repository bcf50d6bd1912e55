"""A call of a layer or step: its options, drawn at random, printed as Python, and shrunk."""

from __future__ import annotations

import random
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

import unrolled
from unrolled.equations import Cell

Module = unrolled.Recurrent | unrolled.RecurrentCell


@dataclass(frozen=True)
class Call:
    """How a cell is called. The defaults are the simplest call."""

    step: bool = False
    input_size: int = 1
    hidden_size: int = 1
    proj_size: int = 0
    steps: int = 1
    batch: int = 1
    dtype: str = "float64"
    gradients: bool = True
    training: bool = False
    recompute: bool = False
    bidirectional: bool = False
    num_layers: int = 1
    batch_first: bool = False
    bias: bool = True
    dropout: float = 0.0
    zoneout: float = 0.0
    variational_dropout: float = 0.0
    learn_initial_states: bool = False
    form: str = "dense"  # or "unbatched", "lengths", "packed", "packed, unsorted"
    lengths: tuple[int, ...] = ()
    given: bool = True  # whether states are given
    record: str = ""  # or "record", "record with graph"
    loss: str = "everything"  # or "output", "last states"
    frozen: str = ""  # or "weights", "vectors", "input": what needs no gradient
    long: bool = False  # whether few rows over many steps take products out of the loop
    threads: str = ""  # or "rows", "units": what two threads share
    layout: str = ""  # or "strided", "expanded": how the arguments stand in memory
    before: bool = False  # whether the module has run without gradients before
    retained: bool = False  # whether gradients are taken a second time
    batched: bool = False  # whether gradients are taken of several sums at once
    operator: bool = False  # whether it goes by PyTorch's operator, as compiled models do
    twice: bool = False  # whether gradients of gradients are taken
    optimised: bool = False  # whether code is written as carefully as always

    @property
    def torch_dtype(self) -> torch.dtype:
        """As PyTorch knows it."""
        return getattr(torch, self.dtype)

    def module(self, cell: Cell) -> Module:
        """A new module, all of whose parameters are drawn."""
        torch.manual_seed(1)
        options: dict[str, Any] = {"bias": self.bias, "proj_size": self.proj_size}
        if self.step:
            made = unrolled.RecurrentCell(cell, self.input_size, self.hidden_size, **options)
        else:
            names = ("recompute", "bidirectional", "num_layers", "batch_first", "dropout")
            names += ("zoneout", "variational_dropout", "learn_initial_states")
            options |= {name: getattr(self, name) for name in names}
            made = unrolled.Recurrent(cell, self.input_size, self.hidden_size, **options)
        made.to(self.torch_dtype).train(self.training)
        with torch.no_grad():
            for parameter in made.parameters():
                parameter += 0.2 * torch.randn_like(parameter)
        for name, parameter in made.named_parameters():
            matrix = name.startswith(("weight_", "bias_"))
            parameter.requires_grad_(self.frozen != ("weights" if matrix else "vectors"))
        return made

    def arguments(self, module: Module, draw: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What the module is called with; the same for the same `draw`."""
        generator = torch.Generator().manual_seed(2 + draw)

        def drawn(*shape: int) -> Tensor:
            return self._laid(torch.randn(shape, generator=generator).to(self.torch_dtype))

        rows = (self.batch,) if self.form != "unbatched" else ()
        steps = () if self.step else (self.steps,)
        x: Any = drawn(*steps, *rows, self.input_size)
        count = () if self.step else (self.num_layers * (1 + self.bidirectional),)
        sizes = module.graph.states.values()
        states = tuple(drawn(*count, *rows, module._units[size]) for size in sizes)
        further: dict[str, Any] = {}
        if self.batch_first and self.form in ("dense", "lengths"):
            x = x.transpose(0, 1)
        if self.form == "lengths":
            further["lengths"] = list(self.lengths)
        elif self.form.startswith("packed"):
            is_sorted = self.form == "packed"
            lengths = sorted(self.lengths, reverse=True) if is_sorted else list(self.lengths)
            x = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=is_sorted)
        if self.frozen != "input":
            x = x._replace(data=_leaf(x.data)) if isinstance(x, PackedSequence) else _leaf(x)
            states = tuple(map(_leaf, states))
        hx = states[0] if len(states) == 1 else states
        return ((x, hx) if self.given or draw else (x,)), further

    def _laid(self, tensor: Tensor) -> Tensor:
        """A tensor of this shape, in another layout of memory."""
        if self.layout == "strided":
            wide = torch.stack((tensor, tensor + 1), -1)
            return wide[..., 0]
        if self.layout == "expanded":
            return tensor[..., :1].expand(tensor.shape)
        return tensor

    def text(self) -> str:
        """The options that differ from the simplest call."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        parts = [f"{f.name}={found[f.name]!r}" for f in fields(self) if found[f.name] != f.default]
        return f"Call({', '.join(parts)})"


def _leaf(tensor: Tensor) -> Tensor:
    return tensor.detach().requires_grad_()


UNITS = ((1, 2, 3, 4, 5, 8, 9, 17, 40), (2, 3, 4, 4, 4, 1, 1, 1, 0.3))
"""Numbers of units, and how often each is drawn: fewer than a vector register has, and more."""


def drawn(random: random.Random, projects: bool) -> Call:
    """A call at random, of a cell with a projection or without."""
    units = lambda: random.choices(*UNITS)[0]  # noqa: E731
    hidden = max(units(), 2 if projects else 1)
    call = Call(
        step=random.random() < 0.12,
        input_size=units(),
        hidden_size=hidden,
        proj_size=random.randint(1, min(hidden - 1, 4)) if projects else 0,
        dtype=random.choices(("float64", "float32"), (3, 1))[0],
        gradients=random.random() < 0.75,
        training=random.random() < 0.6,
        bias=random.random() < 0.85,
        given=random.random() < 0.5,
        record=random.choices(("", "record", "record with graph"), (7, 1, 1))[0],
        loss=random.choices(("everything", "output", "last states"), (6, 1, 1))[0],
        frozen=random.choices(("", "weights", "vectors", "input"), (7, 1, 1, 1))[0],
        optimised=random.random() < 0.1,
        operator=random.random() < 0.1,
        layout=random.choices(("", "strided", "expanded"), (20, 1, 1))[0],
        before=random.random() < 0.04,
        retained=random.random() < 0.1,
        batched=random.random() < 0.04,
        threads=random.choices(("", "rows", "units"), (18, 1, 1))[0],
        twice=random.random() < 0.06,
    )
    call = _shaped(random, call)
    if call.step:
        return call
    call = replace(
        call,
        recompute=random.random() < 0.2,
        bidirectional=random.random() < 0.25,
        batch_first=random.random() < 0.15,
        num_layers=2 if random.random() < 0.15 else 1,
        learn_initial_states=random.random() < 0.2,
    )
    if call.num_layers > 1:
        output = (call.proj_size or hidden) * (1 + call.bidirectional)
        same = random.random() < 0.7  # all layers then share their kernels
        call = replace(
            call,
            input_size=output if same else call.input_size,
            dropout=0.3 if random.random() < 0.3 else 0.0,
        )
    if random.random() < 0.2:
        call = replace(call, zoneout=random.choice((0.3, 1.0)))
    if random.random() < 0.2:
        call = replace(call, variational_dropout=random.choice((0.3, 0.5)))
    return call


def _shaped(random: random.Random, call: Call) -> Call:
    """With a number of rows and steps, and a form."""
    if call.step:
        batch = random.choice((1, 2, 3, 5, 17))
        return replace(call, batch=batch, form=random.choice(("dense", "dense", "unbatched")))
    kernels = random.choices(("few", "many", "long"), (3, 4, 1.5))[0]
    if kernels == "few":
        steps, batch = random.choice(((1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (4, 3), (3, 5)))
    elif kernels == "many":
        steps, batch = random.choice(((4, 4), (3, 6), (5, 4), (1, 17), (2, 9), (2, 70)))
    else:
        steps, batch = random.choice(((6, 3), (8, 2), (16, 1)))
    form = random.choices(("dense", "lengths", "packed", "packed, unsorted"), (6, 3, 1, 1))[0]
    call = replace(call, steps=steps, batch=batch, form=form, long=kernels == "long")
    if form == "dense" and batch == 1 and random.random() < 0.5:
        return replace(call, form="unbatched")
    if form == "dense" or form == "unbatched":
        return call
    least = 0 if form == "lengths" else 1
    if random.random() < 0.15:
        return replace(call, lengths=(steps,) * batch)
    lengths = [random.randint(least, steps) for _ in range(batch)]
    if form.startswith("packed"):
        lengths[random.randrange(batch)] = steps
    return replace(call, lengths=tuple(lengths))
