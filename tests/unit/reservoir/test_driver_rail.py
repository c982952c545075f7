"""The regulator behind AxeOS, against a small server that does as its firmware does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from hwmodel.errors import DeviceError, SpecError
from hwmodel.reservoir.driver import AxeOsRail


class Board:
    """What an AxeOS board holds: unknown keys are taken without a word."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"coreVoltage": 1200, "frequency": 485}
        self.known = ("coreVoltage", "frequency")
        self.asked: list[tuple[str, str, Any]] = []
        self.temp = 55.5
        self.reply: bytes | None = None


@pytest.fixture
def board() -> Iterator[tuple[Board, str]]:
    state = Board()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            info = {
                **state.settings,
                "coreVoltageActual": state.settings["coreVoltage"] - 3,
                "temp": state.temp,
            }
            self._answer(json.dumps(info).encode() if state.reply is None else state.reply)

        def do_PATCH(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.asked.append(("PATCH", self.path, body))
            state.settings |= {key: value for key, value in body.items() if key in state.known}
            self._answer(b"")

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield state, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_voltage_goes_by_the_key_that_firmware_knows(board: tuple[Board, str]) -> None:
    state, url = board
    AxeOsRail(url).set(1.15)
    assert state.asked == [("PATCH", "/api/system", {"coreVoltage": 1150})]


def test_the_voltage_is_what_the_board_measures_not_what_was_set(board: tuple[Board, str]) -> None:
    rail = AxeOsRail(board[1] + "/")
    rail.set(1.15)
    assert rail.read() == pytest.approx(1.147)


def test_firmware_that_ignores_the_key_is_found_out(board: tuple[Board, str]) -> None:
    board[0].known = ("frequency", "volts")
    with pytest.raises(DeviceError, match="set to 1150 mV and reads back as 1200"):
        AxeOsRail(board[1]).set(1.15)


def test_the_temperature_is_that_of_the_chip_or_none(board: tuple[Board, str]) -> None:
    rail = AxeOsRail(board[1])
    assert rail.temperature() == 55.5
    board[0].temp = -1
    assert rail.temperature() is None


@pytest.mark.parametrize("reply", [b"<html>", b"[]", b"{}", b'{"coreVoltageActual": NaN}'])
def test_what_is_no_axeos_is_named(board: tuple[Board, str], reply: bytes) -> None:
    board[0].reply = reply
    with pytest.raises(DeviceError, match=r"AxeOS|measures no core voltage"):
        AxeOsRail(board[1]).read()


def test_no_board_and_no_address_are_named() -> None:
    with pytest.raises(DeviceError, match="address right"):
        AxeOsRail("http://127.0.0.1:9", timeout=5.0).read()
    with pytest.raises(SpecError, match="http"):
        AxeOsRail("/dev/ttyUSB0")
