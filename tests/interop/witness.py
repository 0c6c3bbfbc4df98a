"""A witness on the loopback that follows a journal's checkpoints (c2sp.org/tlog-witness), made of the
package `aics-tlog` and nothing of this project.

    witness.py DIRECTORY

reads `vkey`, `old.note`, `new.note` and `consistency` there, has both checkpoints cosigned in turn by a witness that
it starts, and writes `witness` (its verifier key) and `cosigned.note`. A checkpoint that does not continue the one
before must be refused, which is tried as well.
"""

from __future__ import annotations

import sys
import threading
import time
import urllib.error
import urllib.request
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from aics_tlog import checkpoint as checkpoints
from aics_tlog import cosign, note, tree
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NAME = "witness.example/loopback"


class Witness:
    """What it has seen of one log, and its key."""

    def __init__(self, log: note.VKey) -> None:
        self.log = log
        self.key = Ed25519PrivateKey.generate()
        self.seen: checkpoints.Checkpoint | None = None

    def add(self, body: str) -> tuple[int, str]:
        """Answers `add-checkpoint`: a status and a text."""
        head, _, text = body.partition("\n\n")
        old, *proof = head.split("\n")
        found, signed = checkpoints.checkpoint_from_note(text)
        if not note.verify_note(signed, [self.log]) or found.origin != self.log.name:
            return 403, "not signed by the log\n"
        size = self.seen.size if self.seen else 0
        if old != f"old {size}":
            return 409, f"{size}\n"
        hashes = [b64decode(line, validate=True) for line in proof if line]
        if self.seen and not tree.verify_consistency(size, found.size, self.seen.root, found.root, hashes):
            return 422, "the proof does not hold\n"
        self.seen = found
        now = int(time.time())
        _, line = cosign.sign_cosignature(self.key, NAME, now, found.origin, found.size, found.root)
        return 200, f"— {line.name} {note.b64_encode(line.key_id + line.signature)}\n"


def serve(witness: Witness) -> HTTPServer:
    """Starts the witness on a free port of the loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, text = witness.add(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def main() -> int:
    """The program."""
    folder = Path(sys.argv[1])
    log = note.parse_vkey((folder / "vkey").read_text().strip())
    witness = Witness(log)
    server = serve(witness)

    def post(body: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{server.server_port}/add-checkpoint"
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body.encode())) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    old, new = (folder / "old.note").read_text(), (folder / "new.note").read_text()
    size = checkpoints.checkpoint_from_note(old)[0].size
    proof = (folder / "consistency").read_text()
    assert post(f"old 0\n\n{old}")[0] == 200, "the first checkpoint"
    wrong = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    assert post(f"old {size}\n{wrong}\n{new}")[0] == 422, "a wrong proof"
    status, line = post(f"old {size}\n{proof}\n{new}")
    assert status == 200, f"{status}: {line}"
    key = cosign.cosignature_vkey(NAME, witness.key.public_key())
    (folder / "witness").write_text(note.format_vkey(key) + "\n")
    (folder / "cosigned.note").write_text(new + line)
    print("ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
