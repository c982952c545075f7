"""Technology from 4 K to 300 K: wires, transistors, memories, links and the cost of cooling.

Numbers come from tables with unit and source; `table(name)` prints them. SRAM figures are fits to two
programs, so use ratios between them rather than the figures themselves.

Example:
    >>> from hwmodel.cryo.technology import Array, access_time
    >>> small, large = Array("32 kB", "cmos-22nm"), Array("16 MB", "cmos-22nm")
    >>> [round(access_time(a, 300) / access_time(a, 77), 2) for a in (small, large)]
    [1.42, 2.48]
"""

from hwmodel.cryo._technology_catalogue import TECHNOLOGIES, Technology, technology
from hwmodel.cryo._technology_cycles import LatencyCheck, LatencyCycles, check_latency, latency_cycles
from hwmodel.cryo._technology_memory import (
    Array,
    Power,
    access_energy,
    access_interval,
    access_time,
    area,
    energy_with_cooling,
    junctions,
    leakage_power,
    position_time,
    power,
)
from hwmodel.cryo._technology_models import (
    TechnologyWarning,
    conducted_heat,
    cooling_overhead,
    copper_resistivity,
    crossing_time,
    drive_current,
    flight_time,
    gate_leakage,
    mobility,
    performance_per_watt,
    subthreshold_leakage,
    threshold_voltage,
)
from hwmodel.cryo._technology_print import TABLES, table
from hwmodel.cryo._technology_tables import Fit, SizeFit, Value

__all__ = [
    "TABLES",
    "TECHNOLOGIES",
    "Array",
    "Fit",
    "LatencyCheck",
    "LatencyCycles",
    "Power",
    "SizeFit",
    "Technology",
    "TechnologyWarning",
    "Value",
    "access_energy",
    "access_interval",
    "access_time",
    "area",
    "check_latency",
    "conducted_heat",
    "cooling_overhead",
    "copper_resistivity",
    "crossing_time",
    "drive_current",
    "energy_with_cooling",
    "flight_time",
    "gate_leakage",
    "junctions",
    "latency_cycles",
    "leakage_power",
    "mobility",
    "performance_per_watt",
    "position_time",
    "power",
    "subthreshold_leakage",
    "table",
    "technology",
    "threshold_voltage",
]
