"""OpenVINO."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from . import onnx_graph
from .problem import Problem
from .rival import Rival, missing


@final
class OpenVino(Rival):
    """A compiled model that is called one request at a time, in float32 throughout."""

    key = "openvino"
    name = "OpenVINO"

    def available(self) -> str | None:
        """Needs onnx for the model."""
        return missing("onnx", "openvino")

    def work(self, problem: Problem, threads: int) -> Callable[[], Any]:
        """A request with arrays in and out."""
        import openvino  # pyright: ignore[reportMissingImports]

        core = openvino.Core()
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        compiled = core.compile_model(core.read_model(onnx_graph.model(problem)), "CPU", settings)
        request, given = compiled.create_infer_request(), onnx_graph.inputs(problem)

        def work() -> list[Any]:
            found = request.infer(given, share_inputs=True, share_outputs=True)
            return [found[place] for place in range(len(found))]

        return work
