"""ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from . import onnx_graph
from .problem import Problem
from .rival import Rival, missing


@final
class OnnxRuntime(Rival):
    """A session on the processor, its threads put to sleep between calls."""

    key = "onnxruntime"
    name = "ONNX Runtime"

    def available(self) -> str | None:
        """Needs onnx for the model."""
        return missing("onnx", "onnxruntime")

    def work(self, problem: Problem, threads: int) -> Callable[[], Any]:
        """A run with arrays in and out."""
        import onnxruntime  # pyright: ignore[reportMissingImports]

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(
            onnx_graph.model(problem), options, providers=["CPUExecutionProvider"]
        )
        given = onnx_graph.inputs(problem)
        return lambda: session.run(None, given)
