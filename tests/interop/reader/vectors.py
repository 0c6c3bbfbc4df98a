"""The vectors (§13): files that a verifier must accept or refuse, each with a head that says what is to come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

COMMANDS = {"receipts": "verify", "attacks": "verify", "checkpoints": "checkpoint", "proofs": "proof", "disclosures": "disclosure"}
"""What the files of each directory are."""

Head = dict[str, list[str]]
"""The values of each key, of which `witness` may have several."""


def split(data: bytes) -> tuple[Head, bytes]:
    """The `# key: value` lines, and the file behind them."""
    head: Head = {}
    while data.startswith(b"# "):
        line, _, data = data.partition(b"\n")
        key, _, value = line[2:].decode().partition(": ")
        head.setdefault(key, []).append(value)
    return head, data


def _request(command: str, path: Path, head: Head) -> dict[str, Any]:
    one = {key: values[0] for key, values in head.items()}
    request: dict[str, Any] = {"file": str(path), "skip_head": True, "identity": one["identity"]}
    if command == "verify":
        request["position"] = one.get("position")
        request["links_only"] = one.get("depth") == "links-only"
        request["last_signature"] = one.get("depth") == "last-signature"
    else:
        request["name"] = one["name"]
        request["witness"] = [witness.replace(" ", ":") for witness in head.get("witness", [])]
        request["quorum"] = int(one.get("quorum", 0))
    if command == "proof":
        request["line_text"] = one["line"]
    return request


def _differences(command: str, head: Head, found: dict[str, Any]) -> list[str]:
    """What the head says otherwise than the answer."""
    names = {"expect": "result", "check": "check", "lines": "lines", "sessions": "sessions", "torn": "torn"}
    if command == "verify":
        names["line"] = "line"
    return [
        f"{key} is {head[key][0]}, found {found.get(name)}"
        for key, name in names.items()
        if key in head and head[key][0] != str(found.get(name))
    ]


def run(directory: Path, answer: Callable[[str, dict[str, Any]], dict[str, Any]]) -> int:
    """Runs every vector of the directory and below; one line each and a summary."""
    total = wrong = 0
    for path in sorted(directory.rglob("*")):
        command = COMMANDS.get(path.parent.name)
        if command is None or not path.is_file():
            continue
        head, _ = split(path.read_bytes())
        found = answer(command, _request(command, path, head))
        differences = _differences(command, head, found)
        total += 1
        wrong += bool(differences)
        verdict = "agrees" if not differences else "DIFFERS: " + "; ".join(differences)
        if found["result"] == "refused":
            verdict += f" ({found['check']}: expected {found['expected']!r}, found {found['found']!r})"
        print(f"{path.parent.name}/{path.name}: {verdict}")
    print(f"{total} vectors, {wrong} disagree")
    return 1 if wrong or not total else 0
