"""Tuning numbers of kernels, in one place: each with its unit, and what was measured, where.

"Not measured" says that no record of a measurement is left. Where a processor was noted, it is
named; where none was, the number alone stands.
"""

from __future__ import annotations

# Which kernel runs, and on how many threads. Measurements: not recorded, but for what is said.

OFTEN = 16
"""Rows in all steps together from which on weights are laid out, or products hoisted.

Forward kernels of LSTMCell, H = 128, for a single step: 75 us laid out by groups against 80 us read
in place with 16 rows, 63 against 53 us with 8 (AVX-512, one thread).
"""

FEW_ROWS = 4
"""Rows below which a thread that owned one would read all weights for it alone. Not measured."""

MANY_ROWS = 64
"""Rows of a thread for which fetched weights are used often enough. Not measured."""

LARGE_WEIGHTS = 1 << 20
"""Bytes of weights that no cache of a core holds: threads that owned rows would all fetch them.

Not measured.
"""

LARGE_PRODUCT = 65536
"""Numbers in the weights that read the input from which on few rows take them out of the loop.

Not measured.
"""

WORTH_A_THREAD = 1_000_000
"""Minimum floating-point operations per thread for a parallel launch: about what waking one costs.

Not measured.
"""

WORTH_CONCURRENCY = 200_000
"""Minimum floating-point operations of a kernel for running it beside another.

Not measured.
"""

WORTH_BARRIERS = 200_000
"""Minimum floating-point operations of a step for threads that share units, with a barrier a pass.

Not measured.
"""

POINTWISE_COST = 8
"""Floating-point operations of a pointwise value, on average over sums, products and activations.

Not measured.
"""

PATIENCE = 4096
"""Times that a thread looks whether the others have come before it lets other programs run.

Not measured.
"""

# Tiles and loops of generated code.

HIGHEST = 8
"""Rows of a tile at most: beyond, nothing is gained. The measurement is not recorded."""

CHAINS = 8
"""Sums that have to grow side by side for the processor never to wait for one of them.

Not measured.
"""

CHUNK = 64
"""Rows whose sums are held at the same time, if they fit. Not measured."""

STACK = 1 << 20
"""Bytes of a thread's stack that sums and waiting values take: Linux gives 2 to 8 MiB.

Not measured.
"""

FAR = {16: 1 << 21, 32: 1 << 21, 64: 1 << 24}
"""By bytes of a vector: bytes of weights that stand in a cache that is slow to answer.

Processors with narrow vectors have smaller caches. Not measured.
"""

PANEL = {16: 24576, 32: 24576, 64: 1 << 18}
"""By bytes of a vector: bytes of the weights read again and again for all rows of a chunk.

With narrow vectors a tile has few rows, and weights have to come out of the nearest cache. Not
measured.
"""

PART = {16: 128, 32: 128, 64: 512}
"""By bytes of a vector: rows that are taken at a time for the weights' gradients. Not measured."""

LATE = {16: 128, 32: 128, 64: 256}
"""By bytes of a vector: rows that are summed up from 0 on.

Beyond, rounding errors become larger than PyTorch's; the measurement is not recorded.
"""

MOST_ROWS = 1024
"""Rows that are collected of steps before a product is made of them for the weights' gradients.

More take memory, and no less time; the measurement is not recorded.
"""

# What LLVM is asked.

EFFORT = 3
"""Optimisation level of LLVM, from 0 to 3. At 0 it writes slow code, in a third of the time: for
fuzzing, where code is run once. The processor is not recorded."""

MODULES = 32
"""Modules that one engine links. An engine takes 150 KiB, and keeps 10 KiB of every module that it
has ever linked; the processor is not recorded."""

LOOPS = 32
"""Loops of one function. LLVM's time grows with the third power of their number: 1 s for 200, 140 s
for 1,000 (processor not recorded); the known cells have 8 at most."""

BODY = 128
"""Values of one loop. LLVM's time grows faster than they do; the known cells have 22 at most."""

AGAIN = 32
"""Values that are computed again in every loop that reads them, at most: those of leaves alone.

Not measured.
"""

COSTLY = 640
"""Activations of a cell at most: kernels of a training step take LLVM 5 to 10 s for so many
(processor not recorded)."""

LAYER = 8
"""Activations that take about as long to compile as a learned layer, with a matrix of its own.

Not measured.
"""

VALUES = 5000
"""Values of a cell at most, for the same reason as `COSTLY`. Not measured."""

# Memory that is kept.

ARRAYS = 1 << 29
"""Bytes of large arrays that are kept for the next step while no tensor uses them.

As much as a training step of a layer of 1024 units with 32 rows and 500 steps saves. New memory
costs 0.1 ms a MiB, because the system clears it: 32 MB took 12 ms to be touched for the first time,
0.6 ms ever after (Linux, a virtual machine).
"""

LARGE_PAGE = 1 << 21
"""Bytes of a large page. The system hands out, and clears, few of them many times faster.

A property of the system, not measured.
"""

ALIGNED = 128
"""Bytes to whose multiples arrays are aligned that stand in one piece of memory. Not measured."""

SMALL_WORKSPACE = 1 << 18
"""Numbers of workspace that a launch keeps for its next run: faster than new memory.

Not measured.
"""

SMALL_ARRAY = 1 << 16
"""Numbers of an array that is not worth keeping. Not measured."""

# Caches.

CALLS = 1 << 26
"""Bytes of what is prepared for calls of one shape, over all layers: about 2,000 shapes.

To prepare a call anew takes half a millisecond (processor not recorded), so few bytes would do; a
run that meets every length of up to a thousand steps in several layers should find all of them.
"""

VARIANTS = 8
"""Prepared launches for one key at most: tensors differ in what only guards compare.

Not measured.
"""

KERNELS = 1 << 26
"""Bytes of kernels that have to be made until one that no module uses is forgotten: about 500.

A kernel takes 0.15 MiB and 0.16 s to compile (docs/kernels.md: an Intel Xeon with AVX-512);
notebooks and tests make layers of the same size again and again.
"""

RECORDED = 1 << 25
"""Bytes of the kernels of one layer, which has one for each set of values that is recorded.

Not measured.
"""

OBJECT = 4096
"""Bytes that a few Python objects and small arrays take, on top of what their arrays do.

Not measured.
"""

NOTE = 512
"""Bytes of a note that a request of some kind was made. Not measured."""

CODE = 1
"""Bytes that are charged for each character of a text, for its code and LLVM's own records.

Not measured.
"""

DISK = 1 << 28
"""Bytes of all entries on disk: about 10,000 kernels of 25 KB."""

DISK_PARTS = 16
"""Parts into which entries on disk fall, by the first digit of their key; each has a share of
`DISK`. To look for the oldest is then done in 2 ms, in a full folder (disk not recorded); kernels
take LLVM 50 times as long."""
