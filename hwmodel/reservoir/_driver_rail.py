"""Core voltage: set and measured beside the chips' wire, by a regulator on the board."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from typing import Any, Protocol

from hwmodel.errors import DeviceError, DeviceTimeoutError, SpecError

__all__ = ["AxeOsRail", "VoltageRail"]

MAX_REPLY = 1 << 20


class VoltageRail(Protocol):
    """What sets the core voltage of a board."""

    def set(self, volts: float) -> None:
        """Ask for a voltage, V."""
        ...

    def read(self) -> float:
        """Measure the voltage, V."""
        ...

    def temperature(self) -> float | None:
        """Measure the temperature of the chips, C; None where nothing measures it."""
        ...


class AxeOsRail:
    """The regulator of a board that runs AxeOS, over HTTP.

    The key of the set point is `coreVoltage`, in mV. AxeOS takes other keys, such as `volts`, without a word and does
    nothing; so the set point is read back each time. The voltage is what the board measures, `coreVoltageActual`.
    Keys: ESP-Miner 5c27713, main/nvs_config.c and main/http_server.

    Parameters:
        url: of the board, such as http://192.0.2.7.
        timeout: seconds that the board has to answer.

    Raises:
        SpecError: no http address.
    """

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise SpecError(f"AxeOsRail('{url}'): give the address of the board, such as http://192.0.2.7")
        self.url, self.timeout = url.rstrip("/"), timeout

    def set(self, volts: float) -> None:
        """Ask for a voltage, V.

        Raises:
            DeviceTimeoutError, DeviceError: no answer, or the set point does not read back.
        """
        wanted = round(volts * 1000)
        self._ask("PATCH", "/api/system", {"coreVoltage": wanted})
        held = self._info().get("coreVoltage")
        if held != wanted:
            raise DeviceError(
                f"{self.url}: coreVoltage was set to {wanted} mV and reads back as {held}; is this AxeOS?"
            )

    def read(self) -> float:
        """Measure the voltage, V.

        Raises:
            DeviceTimeoutError, DeviceError: no answer, or none with a voltage.
        """
        measured = self._info().get("coreVoltageActual")
        if isinstance(measured, bool) or not isinstance(measured, int | float) or not math.isfinite(measured):
            raise DeviceError(
                f"{self.url}: coreVoltageActual is {measured!r}; this board measures no core voltage"
            )
        return float(measured) / 1000

    def temperature(self) -> float | None:
        """Temperature of the chip, C; None where the board reports none.

        Raises:
            DeviceTimeoutError, DeviceError: no answer.
        """
        found = self._info().get("temp")
        return float(found) if isinstance(found, int | float) and found > 0 else None

    def _info(self) -> dict[str, Any]:
        reply = self._ask("GET", "/api/system/info", None)
        try:
            found = json.loads(reply)
        except ValueError as error:
            raise DeviceError(f"{self.url}/api/system/info: {error}; is this AxeOS?") from None
        if not isinstance(found, dict):
            raise DeviceError(
                f"{self.url}/api/system/info: {type(found).__name__} in place of an object; is this AxeOS?"
            )
        return found

    def _ask(self, method: str, path: str, body: dict[str, int] | None) -> bytes:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as reply:
                return bytes(reply.read(MAX_REPLY))
        except TimeoutError as error:
            raise DeviceTimeoutError(f"{self.url}{path}: no answer within {self.timeout:g} s") from error
        except (urllib.error.URLError, OSError) as error:
            raise DeviceError(
                f"{self.url}{path}: {error}; is the board on, and its address right?"
            ) from error
