"""The vectors (§13): files that a verifier must accept or refuse, each with a head that says what is to come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def split(data: bytes) -> tuple[dict[str, str], bytes]:
    """The `# key: value` lines, and the file behind them."""
    head: dict[str, str] = {}
    while data.startswith(b"# "):
        line, _, data = data.partition(b"\n")
        key, _, value = line[2:].decode().partition(": ")
        head[key] = value
    return head, data


def _request(path: Path, head: dict[str, str]) -> dict[str, Any]:
    return {
        "file": str(path),
        "skip_head": True,
        "identity": head["identity"],
        "position": head.get("position"),
        "links_only": head.get("depth") == "links-only",
        "last_signature": head.get("depth") == "last-signature",
        "withheld": head.get("withheld") == "true",
    }


def _differences(head: dict[str, str], found: dict[str, Any]) -> list[str]:
    """What the head says otherwise than the answer."""
    names = {"expect": "result", "check": "check", "line": "line"}
    names |= {name: name for name in ("lines", "sessions", "torn")}
    return [
        f"{key} is {head[key]}, found {found.get(name)}"
        for key, name in names.items()
        if key in head and head[key] != str(found.get(name))
    ]


def run(directory: Path, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> int:
    """Runs every vector below the directory; one line each and a summary."""
    total = wrong = 0
    for path in sorted(directory.rglob("*.ndjson")):
        head, _ = split(path.read_bytes())
        found = answer("verify", _request(path, head))
        differences = _differences(head, found)
        total += 1
        wrong += bool(differences)
        verdict = "agrees" if not differences else "DIFFERS: " + "; ".join(differences)
        if differences and found["result"] == "refused":
            verdict += f" (expected {found['expected']!r}, found {found['found']!r})"
        print(f"{path.stem}: {verdict}")
    print(f"{total} vectors, {wrong} disagree")
    return 1 if wrong or not total else 0
