"""Fixed point: casts of floats, exact matrix products, and sums cast at each step, each against NumPy in one run."""

from __future__ import annotations

import importlib
import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from hwmodel.fixedpoint import Fixed, matmul, quantize, requantize

COUNT = 10_000_000
SIZE = 256
FORMAT = Fixed(8, 3, rounding="RND", overflow="SAT")
RNG_SEED = 7


def _seconds(action: Callable[[], Any], repeats: int = 7) -> float:
    """Processor time of all threads, best of a few: other work on the machine counts less in it."""
    action()
    times = []
    for _ in range(repeats):
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return min(times)


def _seconds_of_both(own: Callable[[], Any], other: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Both in turns, so that what slows one slows the other: BLAS threads wait for each other on a busy machine."""
    pairs = [(_seconds(own, 1), _seconds(other, 1)) for _ in range(repeats)]
    return min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)


def _numbers() -> np.ndarray[Any, np.dtype[np.float32]]:
    return (np.random.default_rng(RNG_SEED).standard_normal(COUNT) * 3).astype(np.float32)


def _by_hand(x: Any, y: Any) -> None:
    """Round half up and saturate to <8,3> in float32, in place: what one would write for speed alone."""
    np.multiply(x, np.float32(32), out=y)
    np.add(y, np.float32(0.5), out=y)
    np.floor(y, out=y)
    np.clip(y, np.float32(-128), np.float32(127), out=y)


def _quantize_against_numpy(dtype: Any, floor: float) -> dict[str, Any]:
    x = _numbers()
    y = np.empty_like(x)
    other, own = _seconds(lambda: _by_hand(x, y)), _seconds(lambda: quantize(x, FORMAT, dtype=dtype))
    assert np.array_equal(quantize(x, FORMAT), y)
    name = np.dtype(np.int8 if dtype else np.int64).name
    return {
        "name": f"quantize 10^7 floats to <8,3> RND SAT, {name} result",
        "ratio": other / own,
        "floor": floor,
        "against": "NumPy in place in float32, by hand",
        "detail": f"{COUNT / own / 1e6:.0f} M/s against {COUNT / other / 1e6:.0f} M/s",
    }


def bench_quantize() -> dict[str, Any]:
    """The default container."""
    return _quantize_against_numpy(None, 0.5)


def bench_quantize_small() -> dict[str, Any]:
    """The smallest container: an eighth of the memory is written."""
    return _quantize_against_numpy("smallest", 0.8)


def bench_requantize() -> dict[str, Any]:
    """Raws to raws, against a shift and a clip by NumPy."""
    raw = np.random.default_rng(RNG_SEED).integers(-(2**15), 2**15, COUNT // 2)
    src, dst = Fixed(16, 8), FORMAT

    def by_hand() -> Any:
        return np.clip((raw + 4) >> 3, -128, 127)

    other, own = _seconds(by_hand), _seconds(lambda: requantize(raw, src, dst))
    assert np.array_equal(by_hand(), requantize(raw, src, dst))
    return {
        "name": "requantize 5 x 10^6 raws <16,8> to <8,3> RND SAT",
        "ratio": other / own,
        "floor": 1.0,
        "against": "NumPy add, shift and clip",
        "detail": f"{raw.size / own / 1e6:.0f} M/s against {raw.size / other / 1e6:.0f} M/s",
    }


def bench_matmul() -> dict[str, Any]:
    """256^3 of 8-bit raws, exact, checks and conversions included."""
    rng = np.random.default_rng(RNG_SEED)
    a, b = rng.integers(-128, 128, (2, SIZE, SIZE))
    x, y = a.astype(np.float64), b.astype(np.float64)
    fmt = Fixed(8, 3)
    own, other = _seconds_of_both(lambda: matmul(a, fmt, b, fmt), lambda: x @ y, 100)
    assert np.array_equal(matmul(a, fmt, b, fmt), a @ b)
    return {
        "name": "matmul 256^3 of <8,3>, exact",
        "ratio": other / own,
        "floor": 0.8,  # the aim is 1; BLAS threads jump on a busy machine
        "against": "float64 BLAS on floats (aim: 1)",
        "detail": f"{own * 1e3:.2f} ms against {other * 1e3:.2f} ms",
    }


def bench_each_step() -> dict[str, Any]:
    """256^3 with a cast after each of the 16.8 million additions, against an exact product of NumPy's integers."""
    rng = np.random.default_rng(RNG_SEED)
    a, b = rng.integers(-128, 128, (2, SIZE, SIZE))
    fmt, accumulator = Fixed(8, 3), Fixed(16, 8, rounding="RND", overflow="SAT")
    own = _seconds(lambda: matmul(a, fmt, b, fmt, accumulator), 5)
    other = _seconds(lambda: a @ b, 5)
    return {
        "name": "matmul 256^3 of <8,3>, cast at each step to <16,8> RND SAT",
        "ratio": other / own,
        "floor": 1.0,
        "against": "NumPy's int64 product, which casts nothing",
        "detail": f"{SIZE**3 / own / 1e6:.0f} M steps/s; NumPy {other * 1e3:.1f} ms, ours {own * 1e3:.1f} ms",
    }


def bench_apytypes() -> dict[str, Any]:
    """Floats to <8,3> RND SAT by way of a wide format, as apytypes does it."""
    apytypes: Any = importlib.import_module("apytypes")
    x = _numbers()[: COUNT // 10].astype(np.float64)

    def theirs() -> Any:
        wide = apytypes.APyFixedArray.from_float(x, int_bits=12, frac_bits=20)
        modes = apytypes.QuantizationMode.RND, apytypes.OverflowMode.SAT
        return wide.cast(int_bits=3, frac_bits=5, quantization=modes[0], overflow=modes[1])

    other, own = _seconds(theirs, 3), _seconds(lambda: quantize(x, FORMAT))
    return {
        "name": "quantize 10^6 floats to <8,3> RND SAT",
        "ratio": other / own,
        "floor": 10.0,
        "against": "apytypes, from_float and cast",
        "detail": f"{x.size / own / 1e6:.0f} M/s against {x.size / other / 1e6:.1f} M/s",
    }


def bench_fxpmath() -> dict[str, Any]:
    """The same by fxpmath."""
    fxpmath: Any = importlib.import_module("fxpmath")
    x = _numbers()[: COUNT // 100].astype(np.float64)

    def theirs() -> Any:
        return fxpmath.Fxp(x, signed=True, n_word=8, n_frac=5, rounding="around", overflow="saturate")

    other, own = _seconds(theirs, 3), _seconds(lambda: quantize(x, FORMAT), 30)
    return {
        "name": "quantize 10^5 floats to <8,3>, nearest, SAT",
        "ratio": other / own,
        "floor": 100.0,
        "against": "fxpmath",
        "detail": f"{x.size / own / 1e6:.0f} M/s against {x.size / other / 1e6:.2f} M/s",
    }


# Peers that happen to be installed; hwmodel does not depend on them.
PEERS = {"apytypes": bench_apytypes, "fxpmath": bench_fxpmath}

BENCHES: tuple[Callable[[], dict[str, Any]], ...] = (
    bench_quantize,
    bench_quantize_small,
    bench_requantize,
    bench_matmul,
    bench_each_step,
    *(bench for name, bench in PEERS.items() if importlib.util.find_spec(name)),
)


if __name__ == "__main__":
    for measure in BENCHES:
        print(measure())
