"""HLS C++ compiled against the ap_types headers gives the graph's bits."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwmodel.fixedpoint._graph import Graph
from hwmodel.fixedpoint._verify import draw_inputs
from hwmodel.fixedpoint.emit_hls import hls_text
from tests.unit.fixedpoint.emit_graphs import GRAPHS

MAIN = """
#include <cstdio>
#include "design.h"
int main() {{
  using namespace {name}_ns;
  static input_t x[{inputs}]; static output_t y[{outputs}];
  long long raw;
  while (true) {{
    for (int i = 0; i < {inputs}; ++i) {{
      if (std::scanf("%lld", &raw) != 1) return 0;
      x[i] = from_raw<input_t>(raw);
    }}
    {name}(x, y);
    for (int i = 0; i < {outputs}; ++i) {{
      ap_int<64> word = 0;
      word.range({width} - 1, 0) = y[i].range({width} - 1, 0);
      std::printf("%lld ", (long long)word);
    }}
    std::printf("\\n");
  }}
}}
"""


def headers() -> Path | None:
    """The folder of ap_fixed.h: inside an installed hls4ml, or as HWMODEL_AP_TYPES names it."""
    named = os.environ.get("HWMODEL_AP_TYPES")
    if named:
        return Path(named)
    spec = importlib.util.find_spec("hls4ml")
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "templates" / "vivado" / "ap_types"


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_compiled_header_equals_the_graph(name: str, tmp_path: Path) -> None:
    folder = headers()
    if folder is None or shutil.which("g++") is None:
        pytest.skip(
            "needs g++ and the ap_types headers: install hls4ml, or name their folder in HWMODEL_AP_TYPES"
        )
    graph: Graph = GRAPHS[name]()
    (tmp_path / "design.h").write_text(hls_text(graph, graph.name))
    out = graph.output_type
    text = MAIN.format(name=graph.name, inputs=graph.input.size, outputs=out.size, width=out.fmt.width)
    (tmp_path / "main.cpp").write_text(text)
    command = ["g++", "-std=c++14", "-w", "-O0", f"-I{folder}", "main.cpp", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    x = draw_inputs(graph.input, 60)
    lines = "\n".join(" ".join(map(str, row)) for row in x.reshape(len(x), -1).tolist())
    done = subprocess.run([tmp_path / "main"], input=lines, capture_output=True, text=True, check=True)
    words = np.array([list(map(int, line.split())) for line in done.stdout.splitlines()])
    expected = graph.evaluate(x).reshape(len(x), -1) & ((1 << out.fmt.width) - 1)
    np.testing.assert_array_equal(words, expected)
