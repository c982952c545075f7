"""Numbers of the technology models: each with its unit and its source.

Nothing is computed here. What was not read in a primary source says `estimate:` in its source.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["Fit", "SizeFit", "Value"]


@dataclass(frozen=True)
class Value:
    """A number of the literature with its unit and its source."""

    value: float
    unit: str
    source: str


@dataclass(frozen=True)
class SizeFit:
    """Least squares of the relative error over the sizes of one temperature and voltage.

    `constants` belong to the terms of the quantity (`TERMS`); `residuals` are model / data - 1 in per
    cent, one for each of `SIZES`.
    """

    constants: tuple[float, ...]
    residuals: tuple[float, ...]


@dataclass(frozen=True)
class Fit:
    """Size fits of one quantity of one technology, by temperature in kelvin."""

    unit: str
    points: MappingProxyType[int, SizeFit]


def _fit(unit: str, points: dict[int, SizeFit]) -> Fit:
    return Fit(unit, MappingProxyType(points))


MOSFET = "CryoModel 1b23c89 run for 22 nm HP: CryoMOSFET_77K from 77 K up, CryoMOSFET_4K below"
MEMORY = "CryoModel 1b23c89 run: CryoMEM, 22 nm, RAM with 2 read-write ports"
CACTI_SOURCE = "CACTI 1ffd8df run: 22 nm, 300 K, 8-way cache"
WIRES = "CryoModel 1b23c89, CryoMOSFET_77K/wire.py and CryoMOSFET_4K/wire.py"
MOBILITIES = "CryoModel 1b23c89, temperature_dependency.py, after data of 14 nm FDSOI"
HERR = "Herr, Josephsen, Herr, arXiv 2303.16801 (abstract)"
VOLK = "Volk et al., arXiv 2205.08016 (abstract)"
RSFQLIB = "RSFQlib v3p0 (commit ac37a11), cell DFF"
HIERARCHY = "DDR3-1600 as in gem5's SingleChannelDDR3_1600"
CRYORAM = "Lee et al., CryoRAM, ISCA 2019 (abstract)"

# Copper.
COPPER_293K = Value(1.724, "uOhm cm", WIRES)
COPPER_SLOPE = Value(4.041e-3, "1/K", WIRES)
COPPER_4K = Value(0.203608, "uOhm cm", WIRES + "; measured 1/8.68 of a 520 nm wide global wire, Intel 45 nm")
COPPER_SURFACE = Value(92.0, "uOhm cm nm", WIRES)
COPPER_GRAINS = Value(0.0274, "uOhm cm", WIRES)

# Threshold voltage over that of 300 K, by temperature.
THRESHOLD = ((4.0, 0.7 / 0.54), (77.0, 1.2), (300.0, 1.0))
THRESHOLD_SOURCE = "CryoModel 1b23c89, temperature_dependency.py: a 180 nm sample, 77 K and 4 K"

# Low-field mobility by effective channel length, nm: n at 77 K, n at 300 K, p at 77 K, p at 300 K, cm2/Vs.
MOBILITY = (
    (14.0, 122.23, 69.97, 32.54, 19.6),
    (20.0, 164.74, 84.14, 32.54, 22.35),
    (26.0, 209.92, 110.72, 50.58, 30.19),
    (100.0, 521.7, 228.52, 105.88, 57.25),
    (120.0, 706.82, 275.47, 177.65, 84.31),
    (1000.0, 843.22, 317.98, 274.65, 112.54),
    (10000.0, 941.54, 310.01, 361.18, 129.02),
)
# Mobility at 4 K over that at 300 K, by effective channel length, nm; the same for n and p.
MOBILITY_4K = ((300.0, 273.4 / 107.0), (3000.0, 193.0 / 91.0))

# Temperature, K; Ion, uA/um; Isub, uA/um; Igate, nA/um of an n-channel transistor.
# Below 100 K Isub of the first stands at the floor with which CryoMEM works, 1e-20 A/um. Igate below 77 K
# is that of 77 K: the two versions of the program disagree by 16 times on it, and neither lets it freeze.
TRANSISTOR_08 = (
    (4.0, 1083.18, 1e-14, 4.55373),
    (20.0, 1572.78, 1e-14, 4.55373),
    (40.0, 1625.73, 1e-14, 4.55373),
    (60.0, 1676.07, 1e-14, 4.55373),
    (77.0, 1706.86, 1e-14, 4.55373),
    (100.0, 1757.66, 4.10609e-10, 4.59014),
    (125.0, 1794.22, 1.21135e-7, 4.6457),
    (150.0, 1813.95, 5.57572e-6, 4.71629),
    (175.0, 1818.57, 8.78838e-5, 4.80069),
    (200.0, 1810.09, 7.04522e-4, 4.89697),
    (225.0, 1791.21, 3.58127e-3, 5.00394),
    (250.0, 1765.26, 0.0131789, 5.12127),
    (275.0, 1735.33, 0.0382034, 5.24874),
    (300.0, 1702.16, 0.0922851, 5.38621),
)
TRANSISTOR_044 = (
    (4.0, 679.027, 1e-14, 0.846804),
    (20.0, 1055.57, 2.56962e-14, 0.846804),
    (40.0, 1082.83, 8.6195e-7, 0.846804),
    (60.0, 1107.88, 3.68577e-4, 0.846804),
    (77.0, 1099.45, 8.44202e-3, 0.846804),
    (100.0, 1124.48, 0.0740287, 0.855126),
    (125.0, 1140.17, 0.337263, 0.867741),
    (150.0, 1145.67, 0.962861, 0.883766),
    (175.0, 1142.19, 2.08377, 0.902987),
    (200.0, 1131.11, 3.7693, 0.92504),
    (225.0, 1114.11, 6.02134, 0.949715),
    (250.0, 1093.21, 8.78118, 0.977006),
    (275.0, 1070.25, 11.9418, 1.00694),
    (300.0, 1045.7, 15.3591, 1.03955),
)

# SRAM arrays. n is the size over 32 KiB; the terms of each quantity are those of TERMS.
SIZES = (32768, 262144, 524288, 8388608, 16777216)
TERMS = MappingProxyType(
    {
        "access": ("1", "log2(n)", "n^0.5"),
        "interval": ("1", "log2(n)"),
        "energy": ("1", "log2(n)", "n^0.55"),
        "leakage": ("1", "n"),
    }
)
SRAM_08 = MappingProxyType(
    {
        "access": _fit(
            "ns",
            {
                4: SizeFit((0.22484, 0.0070265, 0.10244), (0.0, -0.7, 1.3, -3.0, 2.3)),
                77: SizeFit((0.16446, 0.013172, 0.081755), (-0.1, -0.3, 0.8, -2.4, 1.8)),
                300: SizeFit((0.13849, 0.039621, 0.21223), (-0.2, 2.0, -2.0, -1.5, 1.5)),
            },
        ),
        "interval": _fit(
            "ns",
            {
                4: SizeFit((0.25613, 0.098496), (6.8, -21.1, -7.0, -40.9, 30.7)),
                77: SizeFit((0.17785, 0.063124), (9.9, -34.2, -22.9, 14.6, 11.3)),
                300: SizeFit((0.3582, 0.067808), (11.4, -26.7, -17.9, 5.7, 13.7)),
            },
        ),
        "energy": _fit(
            "pJ",
            {
                4: SizeFit((0.053698, 0.0, 6.6553), (-0.6, 0.3, 2.6, -1.1, -1.3)),
                77: SizeFit((0.11471, 0.0, 6.3371), (-1.0, 0.8, 3.9, -4.1, 0.0)),
                300: SizeFit((0.0, 0.63471, 6.6415), (2.2, 4.5, -3.7, -4.1, 0.5)),
            },
        ),
        "leakage": _fit(
            "mW",
            {
                4: SizeFit((3.1303e-14, 2.4804e-13), (0.1, -0.1, -0.9, 1.0, -0.1)),
                77: SizeFit((3.004e-14, 2.4937e-13), (0.0, 0.2, -0.5, -0.1, 0.4)),
                300: SizeFit((0.1423, 2.1594), (0.0, 0.0, -0.4, 0.2, 0.2)),
            },
        ),
    }
)
SRAM_044 = MappingProxyType(
    {
        "access": _fit("ns", {77: SizeFit((0.16314, 0.017311, 0.075927), (-0.1, 0.2, 0.4, -2.7, 2.1))}),
        "interval": _fit("ns", {77: SizeFit((0.15595, 0.059985), (9.7, -35.6, -24.1, 14.6, 12.4))}),
        "energy": _fit("pJ", {77: SizeFit((0.22442, 0.092675, 2.137), (0.2, -3.0, 3.4, -1.3, 0.4))}),
        "leakage": _fit("mW", {77: SizeFit((0.33636, 1.6106), (0.0, 0.5, -0.8, -0.3, 0.6))}),
    }
)
# Leakage of an array over that at 300 K, divided by the same ratio of Isub: temperature, factor. The same
# program at 256 kB; the transistor alone misses the leakage of its arrays by as much.
LEAKAGE_FACTOR = ((4.0, 1.0), (77.0, 1.0), (150.0, 2.463), (200.0, 1.3217), (250.0, 1.1203), (300.0, 1.0))
# Gate leakage of an array at 300 K and 0.8 V, mW: c0 + c1 n. It follows Igate within 10 % from 77 K to 300 K.
GATE = (0.0050, 0.0432)
GATE_SOURCE = MEMORY + ", gate leakage of 32 kB to 16 MB"

# Between the fitted temperatures the access time follows gates and repeated wires: g r + w (r p)^0.5, where
# r is the resistance of a transistor and p that of copper, both over 300 K. g = g0 + g1 n^0.5 and
# w = w0 log2(n) + w1 n^0.5, ns. It meets the 20 points within 13 %, so it is used for the shape only.
SHAPE = (0.1581, 0.0086, 0.0388, 0.2064)

# CACTI at 300 K: size, access ns, read nJ, leakage mW.
CACTI = (
    (32768, 0.778544, 0.0812514, 3.54223),
    (262144, 0.888211, 0.11118, 23.9537),
    (524288, 1.0389, 0.127192, 47.1539),
    (8388608, 3.03414, 0.381869, 720.082),
    (16777216, 4.16888, 0.517086, 1439.72),
)

SPEED_OF_LIGHT = 299_792_458.0
LORENZ = Value(2.44e-8, "W Ohm/K2", "Sommerfeld value of the Wiedemann-Franz law")
CABLE_VELOCITY = Value(0.7, "c", "estimate: coaxial cable with a solid polymer")
# Length of the lines between two stages, by their temperatures.
STAGES = MappingProxyType(
    {
        (4.0, 77.0): Value(0.4, "m", "estimate: a cryostat one metre deep"),
        (77.0, 300.0): Value(0.6, "m", "estimate: a cryostat one metre deep"),
        (4.0, 300.0): Value(1.0, "m", "estimate: a cryostat one metre deep"),
    }
)

_RANGE = "estimate: from the range usually quoted, no primary source read: "
COOLING = MappingProxyType(
    {
        "ideal": Value(1.0, "Carnot", "the second law; no machine reaches it"),
        "large-plant": Value(0.24, "Carnot", _RANGE + "12 W/W at 77 K, 300 W/W at 4.2 K"),
        "cryocache": Value(0.30, "Carnot", _RANGE + "9.65 W/W at 77 K"),
        "medium-plant": Value(0.176, "Carnot", _RANGE + "400 W/W at 4.2 K"),
        "small-cryocooler": Value(0.07, "Carnot", _RANGE + "1000 W/W at 4.2 K"),
    }
)

# Published designs, for scale: name, clock, what was published, source.
DESIGNS = (
    (
        "CORE e4v1, 8-bit bit-serial RSFQ",
        "bit-serial",
        "7000 JJ, 2.03 mW, 333 MIPS",
        "Ando et al., IEEE TAS 26(5), 2016",
    ),
    ("CORE e2h, stored program", "50 GHz", "11000 JJ, 2.5 mW at 4.2 K, 500 MIPS", "APL 122, 192601, 2023"),
    ("ERSFQ 8-bit parallel ALU", "to 10 GHz", "6840 JJ", "docslib.org/doc/309852"),
    ("4-bit RSFQ ALU", "30 GHz", "9000 JJ of which 7000 for wiring and balance, 4.75 mW", "arXiv 2312.09386"),
    ("PCL logic with JSRAM", "30 GHz", "full adder of 70 JJ, carry out in 5 ps", "arXiv 2303.16801"),
    ("Bistable vortex memory, 32 x 32", "20 GHz", "one array", "arXiv 2406.08871"),
    ("Nanowire memory", "not stated", "2.6 Mb/cm2 at 1.3 K, bit error rate 1e-5", "arXiv 2503.22897"),
)
