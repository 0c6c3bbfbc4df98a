"""The form of lines (§2) and of the members of each kind (§4, §6, §7)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .refusal import Refusal

MAX_LINE = 262_144
MAX_INT = 2**53 - 1
MAX_TEXT = 2048
MAX_LIST = 256
MAX_VALUE = 1_048_576
SIGNATURE_SUFFIX = len(',"sig":"' + 128 * "0" + '"}')

Check = Callable[[Any], bool]


def _refuse(*_: object) -> Any:
    raise ValueError("not an integer")


def _integer(digits: str) -> int:
    if len(digits) > 16 or int(digits) > MAX_INT:
        raise ValueError("an integer out of range")
    return int(digits)


def parse_json(data: bytes, max_depth: int = 16) -> Any:
    """Canonical JSON (§2.3).

    Written anew in the one permitted spelling the value must give the same text: this finds white
    space, needless escapes, members out of order or doubled, `-0` and the like in one comparison.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refusal("encoding", "UTF-8", "other bytes") from None
    try:
        value = json.loads(text, parse_float=_refuse, parse_constant=_refuse, parse_int=_integer)
        again = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    except (ValueError, RecursionError) as error:
        raise Refusal("form", "canonical JSON", str(error) or "nested too deep") from None
    if again != text:
        at = next((i for i, (a, b) in enumerate(zip(text, again)) if a != b), min(len(text), len(again)))
        raise Refusal("form", again[at : at + 40], text[at : at + 40])
    _check_values(value, max_depth)
    return value


def _check_values(value: Any, depth: int) -> None:
    """No `null`, and no nesting that is too deep."""
    if value is None:
        raise Refusal("form", "a value", "null")
    if isinstance(value, (list, dict)):
        if depth == 0:
            raise Refusal("form", "at most 16 levels", "more")
        for inner in value.values() if isinstance(value, dict) else value:
            _check_values(inner, depth - 1)


def is_int(value: Any) -> bool:
    """An *int*: `true` is none, though Python thinks so."""
    return type(value) is int and 0 <= value <= MAX_INT


def text_of(limit: int, least: int = 1) -> Check:
    """A string of so many bytes of UTF-8."""
    return lambda value: isinstance(value, str) and least <= len(value.encode()) <= limit


is_text = text_of(MAX_TEXT)


def hex_of(digits: int) -> Check:
    """A string of so many lower-case hex digits."""
    pattern = re.compile(r"[0-9a-f]{%d}" % digits)
    return lambda value: isinstance(value, str) and pattern.fullmatch(value) is not None


is_digest, is_session, is_signature = hex_of(64), hex_of(32), hex_of(128)


def word(*words: str) -> Check:
    """One of the words."""
    return lambda value: isinstance(value, str) and value in words


def list_of(inner: Check, least: int = 0, most: int = MAX_LIST) -> Check:
    """A list of so many values of one type."""
    return lambda value: isinstance(value, list) and least <= len(value) <= most and all(map(inner, value))


def ascending(values: list[str]) -> bool:
    """Strictly ascending by the bytes of UTF-8."""
    keys = [value.encode() for value in values]
    return all(a < b for a, b in zip(keys, keys[1:]))


def object_of(**members: Check) -> Check:
    """An object with exactly these members."""
    return lambda value: isinstance(value, dict) and not misfit(value, members, ())


_COUNTER_NAME = re.compile(r"[0-9A-Za-z._:/-]+")


def is_counters(value: Any) -> bool:
    """*counters* of §2.4."""
    return (
        isinstance(value, dict)
        and len(value) <= 256
        and all(_COUNTER_NAME.fullmatch(name) and is_text(name) and is_int(n) for name, n in value.items())
    )


def misfit(body: dict[str, Any], members: dict[str, Check], optional: tuple[str, ...]) -> str | None:
    """The first member that is unknown, missing or of another type."""
    for name in body:
        if name not in members:
            return f"the unknown member {name[:64]}"
    for name, fits in members.items():
        if name not in body:
            if name not in optional:
                return f"no {name}"
        elif not fits(body[name]):
            return f"{name} of another type"
    return None


DECISION = word("allow", "defer", "deny")
DOMAINS = ("application", "infrastructure", "data", "workload")
SIGNING = word("every", "heads")
END_STATUS = word("dropped", "expired", "finished", "poisoned")

_EFFECT = object_of(
    commit=is_digest,
    decision=DECISION,
    kind=is_text,
    policies=lambda value: list_of(is_text)(value) and ascending(value),
    provenance=is_text,
    quorums=list_of(is_text),
    reasons=list_of(is_text),
    reversibility=word("compensable", "irreversible", "reversible"),
)

_JOURNAL: dict[str, Check] = {
    "epoch": is_int, "journal": is_digest, "prev": is_digest, "seq": is_int, "time": is_int,
}  # fmt: skip
_SESSION: dict[str, Check] = {
    "epoch": is_int, "prev": is_digest, "seq": is_int, "session": is_session, "time": is_int,
}  # fmt: skip
_HEAD: dict[str, Check] = {
    **_JOURNAL,
    "count": lambda value: is_int(value) and value >= 1,
    "head": is_digest,
    "session": is_session,
    "tree": is_digest,
}

MEMBERS: dict[str, dict[str, Check]] = {
    "epoch": {
        **_JOURNAL,
        "identity": is_digest,
        "key": is_digest,
        "proof": is_signature,
        "signing": SIGNING,
        "v": lambda value: is_int(value) and value == 1,
    },
    "open": {**_JOURNAL, "agent": is_text, "begin": is_digest, "session": is_session},
    "head": _HEAD,
    "close": {**_HEAD, "status": END_STATUS},
    "begin": {
        **{name: fits for name, fits in _SESSION.items() if name != "prev"},
        "agent": is_text,
        "bundle": is_digest,
        "expires": is_int,
        "journal": is_digest,
        "on_behalf_of": is_text,
        "owner": is_text,
        "schema": is_digest,
        "scope": list_of(is_digest, least=1),
        "signing": SIGNING,
        "task": is_text,
        "v": lambda value: is_int(value) and value == 1,
    },
    "receipt": {
        **_SESSION,
        "action": object_of(commit=is_digest, kind=is_text),
        "after": is_counters,
        "agent": is_text,
        "approvals": list_of(object_of(approver=is_text, id=is_digest, quorum=is_text)),
        "bundle": is_digest,
        "call": is_int,
        "call_decision": DECISION,
        "cause": is_int,
        "decision": DECISION,
        "domain": word(*DOMAINS),
        "effects": list_of(_EFFECT, least=1),
        "facts": is_digest,
        "index": is_int,
        "labels": lambda value: list_of(text_of(512), most=64)(value) and ascending(value),
        "of": lambda value: is_int(value) and 1 <= value <= 4,
        "on_behalf_of": is_text,
        "owner": is_text,
        "permit_until": is_int,
        "scope": list_of(is_digest, least=1),
        "task": is_text,
        "traceparent": is_text,
        "txn": is_text,
    },
    "outcome": {
        **_SESSION,
        "after": is_counters,
        "call": is_int,
        "commit": is_digest,
        "duration_ms": is_int,
        "status": word("expired", "failed", "panicked", "succeeded", "unfinished", "unused"),
    },
    "resume": _SESSION,
    "end": {**_SESSION, "status": END_STATUS},
}

OPTIONAL: dict[str, tuple[str, ...]] = {
    "epoch": ("journal", "prev"),
    "receipt": ("cause", "permit_until", "traceparent", "txn"),
    "outcome": ("commit",),
}

JOURNAL_KINDS = ("epoch", "open", "head", "close")

OPENING: dict[str, Check] = {
    "call": is_int,
    "name": is_text,
    "salt": is_digest,
    "session": is_session,
    "value": text_of(MAX_VALUE, least=0),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line whose form is right."""

    kind: str
    body: dict[str, Any]
    signed: bytes
    """The bytes of the body: what a signature is over (§5.2)."""
    signature: bytes | None
    raw: bytes

    @property
    def of_journal(self) -> bool:
        """Whether it is a line of the journal."""
        return self.kind in JOURNAL_KINDS


def parse_line(raw: bytes) -> Line:
    """A line without its `\\n` (§8.2 step 1): `length`, `encoding`, `form`."""
    if len(raw) > MAX_LINE:
        raise Refusal("length", f"at most {MAX_LINE} bytes", len(raw))
    value = parse_json(raw)
    if not isinstance(value, dict):
        raise Refusal("form", "an object", "another value")
    kinds = [name for name in value if name != "sig"]
    if len(kinds) != 1 or kinds[0] not in MEMBERS or not isinstance(value[kinds[0]], dict):
        raise Refusal("form", "one kind with a body", ", ".join(value)[:64] or "no member")
    kind, signature = kinds[0], None
    if "sig" in value:
        if not is_signature(value["sig"]):
            raise Refusal("form", "a sig of 128 lower-case hex digits", value["sig"])
        signature = bytes.fromhex(value["sig"])
    body = value[kind]
    problem = misfit(body, MEMBERS[kind], OPTIONAL.get(kind, ())) or _contradiction(kind, body)
    if problem:
        raise Refusal("form", f"the members of {kind}", problem)
    suffix = SIGNATURE_SUFFIX if signature is not None else 1
    return Line(kind, body, raw[len(kind) + 4 : len(raw) - suffix], signature, raw)


def _contradiction(kind: str, body: dict[str, Any]) -> str | None:
    """What step 1 asks beyond the types."""
    if kind == "epoch":
        for name in ("journal", "prev"):
            if (name in body) == (body["seq"] == 0):
                return f"{name} with seq {body['seq']}" if name in body else f"no {name}"
    if kind in JOURNAL_KINDS and kind != "epoch" and body["seq"] == 0:
        return "seq 0"
    if kind not in JOURNAL_KINDS and (body["seq"] == 0) != (kind == "begin"):
        return f"seq {body['seq']}"
    if kind == "receipt":
        if body["call"] == 0:
            return "call 0"
        if body["index"] >= body["of"]:
            return f"index {body['index']} of {body['of']}"
        if "permit_until" in body and body["call_decision"] != "allow":
            return "a permit of a call that is not allowed"
        if body.get("cause", -1) >= body["seq"]:
            return "a cause that is not earlier"
    return None
