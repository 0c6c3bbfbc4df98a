"""Disclosures (§10.2) and the openings in them (§7)."""

from __future__ import annotations

from typing import Any

from . import blake3, merkle
from .form import MAX_LINE, MAX_VALUE, OPENING, Line, ascending, is_digest, list_of, misfit, object_of, parse_json
from .form import parse_line, text_of
from .note import MAX_NOTE, Trust, check_checkpoint, check_journal_line
from .refusal import Refusal

MAX_DISCLOSURE = 16 * 1024 * 1024
MAX_PROOF = 63

_PROOF = list_of(is_digest, most=MAX_PROOF)
_STRING = text_of(MAX_VALUE)
_SHAPE = {
    "checkpoint": _STRING,
    "head": object_of(line=_STRING, proof=_PROOF),
    "lines": list_of(
        object_of(
            line=_STRING,
            openings=list_of(lambda value: isinstance(value, dict) and not misfit(value, OPENING, ())),
            proof=_PROOF,
        ),
        least=1,
    ),
    "v": lambda value: type(value) is int and value == 1,
}


def commitment(opening: dict[str, Any]) -> str:
    """The commitment that an opening recomputes (§7)."""
    text = f"countersign commitment v1\n{opening['name']}\n{opening['value']}"
    return blake3.keyed_hash(bytes.fromhex(opening["salt"]), text.encode()).hex()


def commitments(line: Line) -> dict[str, str]:
    """The commitments of a line by their names (§6.2, §6.3, §7)."""
    body = line.body
    if line.kind == "receipt":
        effects = {f"effects/{body['domain']}/{i}": e["commit"] for i, e in enumerate(body["effects"])}
        return {"action": body["action"]["commit"], "facts": body["facts"], **effects}
    if line.kind == "outcome" and "commit" in body:
        return {"result": body["commit"]}
    return {}


def check_opening(opening: dict[str, Any], line: Line) -> None:
    """That an opening is the one of a commitment of this line."""
    body = line.body
    if opening["session"] != body["session"]:
        raise Refusal("opening", body["session"], opening["session"])
    if opening["call"] != body.get("call"):
        raise Refusal("opening", f"call {body.get('call')}", opening["call"])
    expected = commitments(line).get(opening["name"])
    if expected is None:
        raise Refusal("opening", "the name of a commitment", opening["name"])
    found = commitment(opening)
    if found != expected:
        raise Refusal("opening", expected, found)


def _line_of(text: str, what: str) -> Line:
    try:
        return parse_line(text.encode())
    except Refusal as refusal:
        raise Refusal("form", f"{what}: {refusal.expected}", refusal.found) from None


def check_disclosure(data: bytes, trust: Trust) -> dict[str, object]:
    """The checks of §10.2, in its order."""
    body = _form(data)
    checkpoint = check_checkpoint(body["checkpoint"].encode(), trust)
    head = _line_of(body["head"]["line"], "the head")
    if head.kind not in ("head", "close"):
        raise Refusal("head", "a head or close", head.kind)
    check_journal_line(head, checkpoint, _bytes(body["head"]["proof"]), head.body["seq"])
    lines = []
    before = -1
    for item in body["lines"]:
        line = _line_of(item["line"], "a line")
        if line.of_journal or line.body["session"] != head.body["session"]:
            raise Refusal("line", f"a line of session {head.body['session']}", line.kind)
        seq, count = line.body["seq"], head.body["count"]
        if not before < seq:
            raise Refusal("form", f"seq above {before}", seq)
        if seq >= count:
            raise Refusal("line", f"seq below {count}", seq)
        before = seq
        leaf, root = merkle.leaf_hash(line.raw), bytes.fromhex(head.body["tree"])
        if not merkle.included(leaf, seq, count, _bytes(item["proof"]), root):
            raise Refusal("inclusion", "a proof that leads to the tree of the head", f"line {seq}")
        for opening in item["openings"]:
            check_opening(opening, line)
        lines.append((line, [opening["name"] for opening in item["openings"]]))
    return {
        "result": "ok",
        "checkpoint": checkpoint.report(),
        "session": head.body["session"],
        "head": {"kind": head.kind, "seq": head.body["seq"], "count": head.body["count"]},
        "lines": len(lines),
        "shown": [{"seq": l.body["seq"], "kind": l.kind, "opened": names} for l, names in lines],
        "missing": _missing([line for line, _ in lines]),
    }


def _form(data: bytes) -> dict[str, Any]:
    if data.endswith(b"\n"):
        data = data[:-1]
    if len(data) > MAX_DISCLOSURE:
        raise Refusal("length", f"at most {MAX_DISCLOSURE} bytes", len(data))
    value = parse_json(data)
    if not isinstance(value, dict) or list(value) != ["disclosure"] or not isinstance(value["disclosure"], dict):
        raise Refusal("form", "a disclosure", "another value")
    body: dict[str, Any] = value["disclosure"]
    problem = misfit(body, _SHAPE, ())
    if problem:
        raise Refusal("form", "the members of disclosure", problem)
    if len(body["checkpoint"].encode()) > MAX_NOTE:
        raise Refusal("form", f"a checkpoint of at most {MAX_NOTE} bytes", "more")
    for item in [body["head"], *body["lines"]]:
        if len(item["line"].encode()) > MAX_LINE:
            raise Refusal("form", f"a line of at most {MAX_LINE} bytes", "more")
    for item in body["lines"]:
        names = [opening["name"] for opening in item["openings"]]
        if not ascending(names):
            raise Refusal("form", "openings in ascending order of name", names)
    return body


def _bytes(digests: list[str]) -> list[bytes]:
    return [bytes.fromhex(digest) for digest in digests]


def _missing(lines: list[Line]) -> list[dict[str, object]]:
    """Which members of the groups shown are not among the lines: the reader MUST be told."""
    shown: dict[int, tuple[int, set[int]]] = {}
    for line in lines:
        if line.kind == "receipt":
            of, indices = shown.setdefault(line.body["call"], (line.body["of"], set()))
            indices.add(line.body["index"])
    return [
        {"call": call, "of": of, "missing": sorted(set(range(of)) - indices)}
        for call, (of, indices) in shown.items()
        if len(indices) < of
    ]
