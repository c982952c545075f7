"""Ways to look at a result: VCD for waveform viewers, drawings, charts, latencies and one HTML page.

Importing this package loads no matplotlib, jinja2 or pyvcd; each function loads what it needs.
"""

from hwmodel.report._charts import bar_chart, histogram_chart, line_chart, save_chart
from hwmodel.report._html import write_html
from hwmodel.report._latency import Latency, LatencyFigures, latencies, latency_table
from hwmodel.report._latency_chart import draw_latencies
from hwmodel.report._perfetto import write_perfetto
from hwmodel.report._svg import WavePicture, draw_waves, plot
from hwmodel.report._topology import draw_topology
from hwmodel.report._vcd import write_vcd
from hwmodel.report._views import View

__all__ = [
    "Latency",
    "LatencyFigures",
    "View",
    "WavePicture",
    "bar_chart",
    "draw_latencies",
    "draw_topology",
    "draw_waves",
    "histogram_chart",
    "latencies",
    "latency_table",
    "line_chart",
    "plot",
    "save_chart",
    "write_html",
    "write_perfetto",
    "write_vcd",
]
