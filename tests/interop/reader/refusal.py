"""How a verifier says no: which line, which check, what it expected and what it found."""

from __future__ import annotations


class Refusal(Exception):
    """A violated MUST. `line` counts from 1; 0 is the end of the file, or no line of it at all."""

    def __init__(self, check: str, expected: object, found: object, line: int | None = None) -> None:
        super().__init__(check)
        self.check = check
        self.expected = expected
        self.found = found
        self.line = line

    def answer(self) -> dict[str, object]:
        """The refusal as the answer of the program."""
        return {
            "result": "refused",
            "line": self.line or 0,
            "check": self.check,
            "expected": _short(self.expected),
            "found": _short(self.found),
        }


class Usage(Exception):
    """The caller's own input cannot be used."""


def _short(value: object) -> object:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "backslashreplace")
    if isinstance(value, str) and len(value) > 200:
        return value[:200] + "…"
    return value
