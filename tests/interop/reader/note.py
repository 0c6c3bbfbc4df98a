"""Checkpoints (§9) and proofs of a line of the journal (§10.1)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from . import merkle
from .ed25519 import PublicKey, WeakKey, public_key
from .form import MAX_INT, Line, is_digest, parse_line
from .refusal import Refusal, Usage

MAX_NOTE = 16_384
MAX_SIGNATURES = 64
MAX_PROOF = 131_072
MAX_HASHES = 63
MAX_EXTRA = 65_536
JOURNAL_SIGNATURE, WITNESS_SIGNATURE = b"\x01", b"\x04"

_NAME = re.compile(r"[A-Za-z0-9._~:/-]{1,200}")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,15}")
_KEY_NAME = re.compile(r"[^\s+]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")
MAX_KEY_NAME = 300


@dataclass(frozen=True)
class Trust:
    """What a verifier of checkpoints has from its caller (§9.3)."""

    identity: bytes
    name: str
    witnesses: tuple[tuple[str, bytes], ...] = ()
    quorum: int = 0


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that has passed."""

    origin: str
    journal: str
    size: int
    root: bytes
    witnesses: tuple[str, ...]

    def report(self) -> dict[str, object]:
        """For the answer of the program."""
        return {
            "origin": self.origin,
            "journal": self.journal,
            "size": self.size,
            "root": self.root.hex(),
            "witnesses": list(self.witnesses),
        }


def is_name(name: str) -> bool:
    """A name that an operator may choose (§9.1)."""
    fits = _NAME.fullmatch(name) is not None
    return fits and not name.startswith("/") and not name.endswith("/") and "//" not in name


def base64_of(text: str) -> bytes | None:
    """The bytes of standard Base64 in its one spelling, None of anything else."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None


def number_of(text: str) -> int | None:
    """An *int* in decimal without leading zeros, None of anything else."""
    if not _NUMBER.fullmatch(text) or int(text) > MAX_INT:
        return None
    return int(text)


def key_id(name: str, algorithm: bytes, key: bytes) -> bytes:
    """§9.2."""
    return hashlib.sha256(name.encode() + b"\n" + algorithm + key).digest()[:4]


def _key(data: bytes) -> PublicKey:
    try:
        return public_key(data)
    except WeakKey as error:
        raise Refusal("key", "a key as §5.1 asks", str(error)) from None


def _malformed(expected: str, found: object) -> Refusal:
    return Refusal("checkpoint", expected, found)


def _split(data: bytes) -> tuple[list[str], list[str]]:
    """The three lines of the text, and the signature lines without their `— `."""
    if len(data) > MAX_NOTE:
        raise _malformed(f"at most {MAX_NOTE} bytes", len(data))
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("UTF-8", "other bytes") from None
    if not text.endswith("\n"):
        raise _malformed("a note that ends with a line", text[-40:])
    if _CONTROL.search(text):
        raise _malformed("no control characters", text[:200])
    lines = text[:-1].split("\n")
    if len(lines) < 5 or lines[3] != "":
        raise _malformed("three lines, an empty line and signatures", text[:200])
    signatures = lines[4:]
    if len(signatures) > MAX_SIGNATURES:
        raise _malformed(f"at most {MAX_SIGNATURES} signatures", len(signatures))
    for line in signatures:
        if not line.startswith("\u2014 "):
            raise _malformed("a signature line", line)
    return lines[:3], [line[2:] for line in signatures]


def _signature(line: str) -> tuple[str, bytes, bytes]:
    """Key name, key id and signature of one signature line."""
    name, blank, encoded = line.partition(" ")
    data = base64_of(encoded)
    named = _KEY_NAME.fullmatch(name) is not None and len(name.encode()) <= MAX_KEY_NAME
    if not blank or not named or data is None or len(data) < 5:
        raise _malformed("a signature line", line)
    return name, data[:4], data[4:]


def _witnessed(key: PublicKey, signature: bytes, text: bytes) -> bool:
    if len(signature) != 72 or signature[0] & 0x80:
        return False
    time = int.from_bytes(signature[:8], "big")
    return key.verify(signature[8:], b"cosignature/v1\ntime %d\n" % time + text)


def check_checkpoint(data: bytes, trust: Trust) -> Checkpoint:
    """§9.3; refuses with `checkpoint`."""
    if not is_name(trust.name):
        raise Usage(f"not a name of §9.1: {trust.name}")
    identity = _key(trust.identity)
    witnesses = {(name, key_id(name, WITNESS_SIGNATURE, key)): _key(key) for name, key in trust.witnesses}
    (origin, size_text, root_text), signatures = _split(data)
    name, _, journal = origin.rpartition("/")
    if name != trust.name or not is_digest(journal):
        raise _malformed(f"the origin {trust.name}/<journal id>", origin)
    size = number_of(size_text)
    if not size:
        raise _malformed("a size", size_text)
    root = base64_of(root_text)
    if root is None or len(root) != 32:
        raise _malformed("a root", root_text)
    text = "".join(line + "\n" for line in (origin, size_text, root_text)).encode()
    own, own_id, seen = 0, key_id(origin, JOURNAL_SIGNATURE, trust.identity), set()
    for line in signatures:
        signer, id_, signature = _signature(line)
        if (signer, id_) == (origin, own_id):
            own += 1
            right = identity.verify(signature, text)
        elif (signer, id_) in witnesses:
            right = _witnessed(witnesses[signer, id_], signature, text)
            seen.add((signer, id_))
        else:
            continue
        if not right:
            raise _malformed("a signature that verifies", line)
    if own != 1:
        raise _malformed("one signature of the identity", own)
    if len(seen) < trust.quorum:
        raise _malformed(f"{trust.quorum} witnesses", len(seen))
    return Checkpoint(origin, journal, size, root, tuple(sorted(name for name, _ in seen)))


def check_proof(data: bytes, raw: bytes, trust: Trust) -> dict[str, object]:
    """That a line of the journal is under a checkpoint (§10.1)."""
    if len(data) > MAX_PROOF:
        raise Refusal("form", f"at most {MAX_PROOF} bytes", len(data))
    head, blank, note = data.partition(b"\n\n")
    if not blank:
        raise Refusal("form", "an empty line before the checkpoint", "none")
    try:
        lines = head.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise Refusal("form", "UTF-8", "other bytes") from None
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        raise Refusal("form", "c2sp.org/tlog-proof@v1", head[:40])
    if lines and lines[0].startswith("extra "):
        extra = base64_of(lines.pop(0)[6:])
        if extra is None or len(extra) > MAX_EXTRA:
            raise Refusal("form", f"Base64 of at most {MAX_EXTRA} bytes", "another extra")
    index_text = lines.pop(0) if lines else ""
    index = number_of(index_text[6:]) if index_text.startswith("index ") else None
    if index is None:
        raise Refusal("form", "index and a number", index_text)
    hashes = [base64_of(line) for line in lines]
    proof = [hash_ for hash_ in hashes if hash_ is not None and len(hash_) == 32]
    if len(proof) != len(hashes) or len(proof) > MAX_HASHES:
        raise Refusal("form", f"at most {MAX_HASHES} hashes", "other lines")
    checkpoint = check_checkpoint(note, trust)
    line = parse_line(raw)
    check_journal_line(line, checkpoint, proof, index)
    return {
        "result": "ok",
        "checkpoint": checkpoint.report(),
        "index": index,
        "kind": line.kind,
    }


def check_journal_line(line: Line, checkpoint: Checkpoint, proof: list[bytes], index: int) -> None:
    """That a line stands at that index of the tree of a checkpoint."""
    if not line.of_journal:
        raise Refusal("form", "a line of the journal", line.kind)
    # Line 0 does not name the journal; inclusion at index 0 of a tree of that journal says the same.
    journal = line.body.get("journal", checkpoint.journal)
    if journal != checkpoint.journal:
        raise Refusal("journal", checkpoint.journal, journal)
    if line.body["seq"] != index:
        raise Refusal("index", index, line.body["seq"])
    if index >= checkpoint.size:
        raise Refusal("inclusion", f"an index below {checkpoint.size}", index)
    if not merkle.included(merkle.leaf_hash(line.raw), index, checkpoint.size, proof, checkpoint.root):
        raise Refusal("inclusion", "a proof that leads to the root", "another root")
