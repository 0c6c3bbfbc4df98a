#!/usr/bin/env python3
"""An independent verifier of receipt files, checkpoints, proofs and disclosures.

Answers with one JSON object; exit status 0 is `ok`, 1 `refused`, 2 a use that makes no sense.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from reader import selftest, vectors
from reader.chain import Options, verify_file
from reader.disclosure import MAX_DISCLOSURE, check_disclosure
from reader.note import MAX_NOTE, MAX_PROOF, Trust, check_checkpoint, check_proof
from reader.form import MAX_LINE, is_digest
from reader.refusal import Refusal, Usage

Answer = dict[str, object]
Request = dict[str, Any]


def _hex32(text: object) -> bytes:
    if not is_digest(text):
        raise Usage("a key is 64 lower-case hex digits")
    return bytes.fromhex(str(text))


def _identities(request: Request) -> tuple[bytes, ...]:
    given = request.get("identity") or []
    return tuple(_hex32(key) for key in ([given] if isinstance(given, str) else given))


def _trust(request: Request) -> Trust:
    identities = _identities(request)
    if len(identities) != 1 or not request.get("name"):
        raise Usage("a checkpoint needs one identity and a name")
    witnesses = []
    for witness in request.get("witness") or []:
        name, _, key = witness.rpartition(":")
        witnesses.append((name, _hex32(key)))
    quorum = request.get("quorum")
    return Trust(
        identities[0], request["name"], tuple(witnesses), len(set(witnesses)) if quorum is None else quorum
    )


def _position(text: str | None) -> tuple[int, str] | None:
    if text is None:
        return None
    seq, _, hash_ = text.replace(" ", ":").partition(":")
    if not seq.isdecimal() or not is_digest(hash_):
        raise Usage("a position is SEQ:HASH")
    return int(seq), hash_


def _read(request: Request, limit: int, path: str | None = None) -> bytes:
    """A whole small file, and a little more than its limit if it is longer."""
    with _open(request) if path is None else open(path, "rb") as file:
        return file.read(limit + 2)


def _open(request: Request) -> BinaryIO:
    """The file of a request, without the `# key: value` lines of a vector if asked for."""
    file: BinaryIO = open(request["file"], "rb")
    if request.get("skip_head"):
        with file:
            return io.BytesIO(vectors.split(file.read())[1])
    return file


def verify(request: Request) -> Answer:
    """A receipt file (§8)."""
    identities = _identities(request)
    if not identities:
        raise Usage("a verifier needs an identity")
    if request.get("links_only") and request.get("last_signature"):
        raise Usage("links only, or the last signature")
    checkpoint = None
    if request.get("checkpoint"):
        checkpoint = check_checkpoint(_read(request, MAX_NOTE, request["checkpoint"]), _trust(request))
    options = Options(
        identities=identities,
        position=_position(request.get("position")),
        checkpoint=checkpoint,
        links_only=bool(request.get("links_only")),
        last_signature=bool(request.get("last_signature")),
        withheld=bool(request.get("withheld")),
    )
    with _open(request) as file:
        return verify_file(file, options)


def checkpoint(request: Request) -> Answer:
    """A checkpoint (§9)."""
    found = check_checkpoint(_read(request, MAX_NOTE), _trust(request))
    return {"result": "ok", **found.report()}


def proof(request: Request) -> Answer:
    """A proof of a line of the journal (§10.1)."""
    if "line_text" in request:
        line = request["line_text"].encode()
    else:
        line = _read(request, MAX_LINE, request["line"]).removesuffix(b"\n")
    return check_proof(_read(request, MAX_PROOF), line, _trust(request))


def disclosure(request: Request) -> Answer:
    """A disclosure (§10.2)."""
    return check_disclosure(_read(request, MAX_DISCLOSURE), _trust(request))


COMMANDS: dict[str, Callable[[Request], Answer]] = {
    "verify": verify,
    "checkpoint": checkpoint,
    "proof": proof,
    "disclosure": disclosure,
}


def answer(command: str, request: Request) -> Answer:
    """The answer to one request; what a file says makes it raise nothing."""
    try:
        return COMMANDS[command](request)
    except Refusal as refusal:
        return refusal.answer()
    except (Usage, OSError) as error:
        return {"result": "usage", "error": str(error)}


def batch() -> int:
    """One JSON request a line on the standard input, one answer a line."""
    for text in sys.stdin:
        if not text.strip():
            continue
        try:
            request = {key.replace("-", "_"): value for key, value in json.loads(text).items()}
            command = request.get("command", "verify")
            found = answer(command, request) if command in COMMANDS else {"result": "usage", "error": command}
        except Exception as error:  # One bad request must not stop the others.
            found = {"result": "error", "error": f"{type(error).__name__}: {error}"}
        print(json.dumps(found), flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        command = commands.add_parser(name, help=COMMANDS[name].__doc__)
        command.add_argument("file")
        command.add_argument("--identity", action="append", required=True, metavar="HEX")
        command.add_argument("--name")
        command.add_argument("--witness", action="append", metavar="NAME:HEX")
        command.add_argument("--quorum", type=int, metavar="N")
        command.add_argument("--skip-head", action="store_true", help="the file is a vector")
        if name == "verify":
            command.add_argument("--position", metavar="SEQ:HASH")
            command.add_argument("--checkpoint", metavar="NOTEFILE")
            command.add_argument("--withheld", action="store_true")
            depth = command.add_mutually_exclusive_group()
            depth.add_argument("--links-only", action="store_true")
            depth.add_argument("--last-signature", action="store_true")
        if name == "proof":
            command.add_argument("--line", required=True, metavar="LINEFILE")
    commands.add_parser("vectors", help="runs the vectors of a directory").add_argument("directory", type=Path)
    commands.add_parser("batch", help=batch.__doc__)
    commands.add_parser("selftest", help="checks the primitives against published vectors")
    return parser


def main() -> int:
    """The program."""
    arguments = _parser().parse_args()
    if arguments.command == "batch":
        return batch()
    if arguments.command == "selftest":
        return selftest.run()
    if arguments.command == "vectors":
        return vectors.run(arguments.directory, answer)
    found = answer(arguments.command, vars(arguments))
    print(json.dumps(found, indent=2))
    return {"ok": 0, "refused": 1}.get(str(found["result"]), 2)


if __name__ == "__main__":
    sys.exit(main())
