"""Verification of a receipt file (§8): one pass, line by line, with bounded memory."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from . import blake3, merkle
from .ed25519 import PublicKey, WeakKey, public_key
from .form import DOMAINS, MAX_LINE, Line, parse_line
from .note import Checkpoint
from .refusal import Refusal

MAX_SESSIONS = 1_000_000
MAX_WAITING = 65_536
MAX_HEADS = 65_536
LATE_HEAD = 64
"""How many lines of a session may stand between a counted line and its head (§8.1)."""

WORST = {"allow": 0, "defer": 1, "deny": 2}
OWN_IN_GROUP = ("decision", "domain", "effects", "index", "prev", "seq")
"""The members that differ inside a group (§6.2)."""


def link_hash(line: bytes) -> str:
    """§3."""
    return blake3.derive_key("countersign 2026-11 receipt line v1", line).hex()


def require(holds: bool, check: str, expected: object, found: object) -> None:
    """A MUST."""
    if not holds:
        raise Refusal(check, expected, found)


@dataclass(frozen=True)
class Options:
    """What the caller gives and asks for."""

    identities: tuple[bytes, ...]
    position: tuple[int, str] | None = None
    checkpoint: Checkpoint | None = None
    links_only: bool = False
    last_signature: bool = False
    withheld: bool = False


@dataclass(slots=True)
class Owed:
    """A signature that is verified only if it is the last of its chain and epoch (§8.5)."""

    line: int
    key: PublicKey
    signature: bytes
    challenge: int
    epoch: int


@dataclass(slots=True)
class Chain:
    """What both kinds of chains remember of their last line."""

    count: int = 0
    last: str = ""
    epoch: int = 0
    time: int = 0
    peaks: merkle.Peaks = ()
    owed: Owed | None = None


@dataclass(slots=True)
class Journal(Chain):
    """The journal's chain and the epochs that it has declared."""

    id: str = ""
    identity: str = ""
    epochs: dict[int, tuple[PublicKey, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Stored:
    """What a head may still ask about a line of a session."""

    hash: str
    peaks: merkle.Peaks
    unit: int
    """`seq` of the first line of its group, or its own."""
    end: str | None
    """The status, if it is an `end`."""


@dataclass(slots=True)
class Head:
    """A `head` or `close`."""

    hash: str
    tree: str
    close: str | None


@dataclass(slots=True)
class Session(Chain):
    """A session that an `open` has announced."""

    agent: str = ""
    begin: str = ""
    opened: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    recent: deque[Stored] = field(default_factory=lambda: deque(maxlen=LATE_HEAD + 1))
    labels: list[str] = field(default_factory=list)
    call: int = 0
    group: dict[str, Any] | None = None
    """The last line of the group that lacks lines."""
    worst: int = 0
    waiting: set[int] = field(default_factory=set)
    ended: str | None = None
    closed: str | None = None
    counted: int = 0
    """The count of the last head."""
    proven: int = 0
    """The highest count of a head whose line was found."""
    heads: dict[int, list[Head]] = field(default_factory=dict)
    pending: int = 0
    calls: dict[str, int] = field(default_factory=lambda: {"allow": 0, "defer": 0, "deny": 0})
    incomplete: int = 0
    resumed: int = 0


class Verifier:
    """Takes the lines of a file in order; `feed` and `finish` raise `Refusal`."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.journal = Journal()
        self.sessions: dict[str, Session] = {}
        self.lines = 0
        for identity in options.identities:
            try:
                public_key(identity)
            except WeakKey as error:
                raise Refusal("key", "an identity key as §5.1 asks", str(error)) from None

    def feed(self, raw: bytes) -> None:
        """The next line, without its `\\n`."""
        self.lines += 1
        try:
            self._line(parse_line(raw))
        except Refusal as refusal:
            if refusal.line is None:
                refusal.line = self.lines
            raise

    # The steps of §8.2.

    def _line(self, line: Line) -> None:
        body = line.body
        chain = self._which_chain(line)
        require(body["seq"] == chain.count, "sequence", chain.count, body["seq"])
        require(body.get("prev", "") == chain.last, "link", chain.last, body.get("prev"))
        hash_ = link_hash(line.raw)
        if line.kind == "begin":
            self._check_begin(chain, body, hash_)
        self._check_epoch(line, chain)
        require(body["time"] >= chain.time, "time", f"at least {chain.time}", body["time"])
        key = self._check_keys(line) if line.kind == "epoch" else None
        self._check_signature(line, chain, key)
        unit = chain.count
        if line.kind == "open":
            self._open(body)
        elif line.kind in ("head", "close"):
            self._head(line)
        elif line.kind == "receipt":
            unit = self._receipt(chain, body)
        elif line.kind == "outcome":
            self._outcome(chain, body)
        elif line.kind == "end":
            require(chain.group is None, "group", "a complete group", "an end")
            chain.ended = body["status"]
        elif line.kind == "resume":
            self._resume(chain)
        elif line.kind == "begin":
            chain.fields = body
        chain.count += 1
        chain.last = hash_
        chain.epoch = body["epoch"]
        chain.time = body["time"]
        chain.peaks = merkle.push(chain.peaks, merkle.leaf_hash(line.raw))
        if line.of_journal:
            self._stored_in_journal(line, hash_, key)
        else:
            end = body["status"] if line.kind == "end" else None
            self._stored_in_session(chain, Stored(hash_, chain.peaks, unit, end))

    def _which_chain(self, line: Line) -> Any:
        """Step 2."""
        body = line.body
        start = line.kind == "epoch" and body["seq"] == 0
        require(start == (self.lines == 1), "start", "line 0 of the journal, once and first", line.kind)
        if "journal" in body:
            require(body["journal"] == self.journal.id, "journal", self.journal.id, body["journal"])
        if line.of_journal:
            return self.journal
        session = self.sessions.get(body["session"])
        if session is None:
            raise Refusal("announced", "a session that an open names", body["session"])
        require(session.ended is None, "ended", f"no line after the end of {body['session']}", line.kind)
        if session.closed is not None and session.count >= session.counted:
            require(session.closed == "poisoned", "ended", f"no line after {session.counted}", line.kind)
            if session.count > session.counted:
                same = session.group is not None and line.kind == "receipt" and body["index"] > 0
                require(same, "ended", "one unit after a poisoned close", line.kind)
        return session

    def _check_begin(self, session: Session, body: dict[str, Any], hash_: str) -> None:
        """Step 5."""
        require(hash_ == session.begin, "announced", session.begin, hash_)
        require(body["agent"] == session.agent, "announced", session.agent, body["agent"])
        require(body["epoch"] == session.opened, "announced", session.opened, body["epoch"])
        signing = self.journal.epochs[session.opened][1]
        require(body["signing"] == signing, "fields", signing, body["signing"])

    def _check_epoch(self, line: Line, chain: Chain) -> None:
        """Step 6."""
        epoch = line.body["epoch"]
        if line.kind == "epoch":
            require(epoch == chain.epoch + 1, "epoch", chain.epoch + 1, epoch)
        elif line.kind == "resume":
            declared = epoch in self.journal.epochs
            require(epoch >= chain.epoch and declared, "epoch", f"a declared one from {chain.epoch} on", epoch)
        elif line.kind != "begin":
            require(epoch == chain.epoch, "epoch", chain.epoch, epoch)

    def _check_keys(self, line: Line) -> PublicKey:
        """Step 8: `key` and `proof` of an `epoch`."""
        body = line.body
        identity = bytes.fromhex(body["identity"])
        require(identity in self.options.identities, "key", "a trusted identity", body["identity"])
        first = self.journal.identity or body["identity"]
        require(body["identity"] == first, "key", first, body["identity"])
        try:
            key = public_key(bytes.fromhex(body["key"]))
        except WeakKey as error:
            raise Refusal("key", "an epoch key as §5.1 asks", str(error)) from None
        message = (
            b"countersign epoch-key v1\n"
            + identity
            + key.data
            + body["epoch"].to_bytes(8, "little")
            + bytes.fromhex(body.get("prev", 64 * "0"))
        )
        if not self.options.links_only:
            right = key.verify(bytes.fromhex(body["proof"]), message)
            require(right, "proof", "a proof by the epoch key", body["proof"])
        return key

    def _check_signature(self, line: Line, chain: Chain, epoch_key: PublicKey | None) -> None:
        """Step 9."""
        signing = "every"
        if not line.of_journal:
            assert isinstance(chain, Session)
            signing = (line.body if line.kind == "begin" else chain.fields)["signing"]
        if signing == "heads":
            require(line.signature is None, "signature", "none", "one too many")
            return
        if line.signature is None:
            raise Refusal("signature", "a signature", "none")
        if self.options.links_only:
            return
        message = f"countersign {line.kind} v1\n".encode() + line.signed
        epoch = line.body["epoch"]
        if chain.owed is not None and chain.owed.epoch != epoch:
            self._settle(chain)
        if epoch_key is not None:
            key = public_key(bytes.fromhex(line.body["identity"]))
        else:
            key = self.journal.epochs[epoch][0]
            if self.options.last_signature:
                challenge = key.challenge(line.signature, message)
                chain.owed = Owed(self.lines, key, line.signature, challenge, epoch)
                return
        require(key.verify(line.signature, message), "signature", "one that verifies", line.signature.hex())

    @staticmethod
    def _settle(chain: Chain) -> None:
        """Verifies the signature that stands for the others of its chain and epoch (§8.5)."""
        owed, chain.owed = chain.owed, None
        if owed is not None and not owed.key.answers(owed.signature, owed.challenge):
            raise Refusal("signature", "one that verifies", owed.signature.hex(), owed.line)

    # Step 10.

    def _open(self, body: dict[str, Any]) -> None:
        id_ = body["session"]
        require(id_ not in self.sessions, "announced", "a session that is new", id_)
        require(len(self.sessions) < MAX_SESSIONS, "limit", f"{MAX_SESSIONS} sessions", "more")
        self.sessions[id_] = Session(agent=body["agent"], begin=body["begin"], opened=body["epoch"])

    def _head(self, line: Line) -> None:
        body = line.body
        session = self.sessions.get(body["session"])
        if session is None:
            raise Refusal("announced", "a session that an open names", body["session"])
        require(session.closed is None, "ended", "no head after a close", line.kind)
        count = body["count"]
        require(count >= session.counted, "head", f"a count of at least {session.counted}", count)
        head = Head(body["head"], body["tree"], body.get("status") if line.kind == "close" else None)
        session.counted = count
        if count <= session.count:
            behind = session.count - count
            require(behind < len(session.recent), "head", f"at most {LATE_HEAD} lines behind", behind)
            self._compare(session, count, head, session.recent[-1 - behind])
            if head.close is not None and behind:
                require(head.close == "poisoned", "ended", "no line after a close", session.count)
                one = session.recent[-behind].unit == session.recent[-1].unit
                require(one, "ended", "one unit after a poisoned close", session.count)
        else:
            session.heads.setdefault(count, []).append(head)
            session.pending += 1
            require(session.pending <= MAX_HEADS, "limit", f"{MAX_HEADS} heads that wait", "more")
        session.closed = head.close

    @staticmethod
    def _compare(session: Session, count: int, head: Head, line: Stored) -> None:
        """§8.3, once the head and the line that it counts last have both been read."""
        require(head.hash == line.hash, "head", line.hash, head.hash)
        tree = merkle.root(line.peaks).hex()
        require(head.tree == tree, "tree", tree, head.tree)
        if head.close in ("finished", "expired") or (head.close is not None and line.end is not None):
            require(line.end == head.close, "head", f"an end with {head.close}", line.end or "another line")
        session.proven = max(session.proven, count)

    @staticmethod
    def _receipt(session: Session, body: dict[str, Any]) -> int:
        """Gives the `seq` of the first line of the group."""
        for name in ("agent", "task", "owner", "on_behalf_of", "scope"):
            require(body[name] == session.fields[name], "fields", session.fields[name], body[name])
        before = session.group
        unit = session.count
        if body["index"] == 0:
            require(before is None, "group", "the rest of a group", "another group")
            require(body["call"] == session.call + 1, "group", session.call + 1, body["call"])
            session.worst = 0
        else:
            if before is None:
                raise Refusal("group", "index 0", body["index"])
            require(body["index"] == before["index"] + 1, "group", before["index"] + 1, body["index"])
            for name in sorted(before.keys() | body.keys()):
                same = name in OWN_IN_GROUP or before.get(name) == body.get(name)
                require(same, "group", f"{name} of the group", body.get(name))
            order = DOMAINS.index(body["domain"]) > DOMAINS.index(before["domain"])
            require(order, "group", f"a domain after {before['domain']}", body["domain"])
            unit = session.recent[-1].unit
        gone = [label for label in session.labels if label not in body["labels"]]
        require(not gone, "labels", session.labels, body["labels"])
        decision, verdict = WORST[body["decision"]], WORST[body["call_decision"]]
        worst = max(WORST[effect["decision"]] for effect in body["effects"])
        require(decision == worst, "verdict", "the worst of the effects", body["decision"])
        require(decision <= verdict, "verdict", f"at most {body['call_decision']}", body["decision"])
        session.worst = max(session.worst, decision)
        complete = body["index"] == body["of"] - 1
        if complete:
            require(session.worst == verdict, "verdict", "the worst of the group", body["call_decision"])
        if verdict == 0:
            expires = session.fields["expires"]
            require(body["time"] <= expires, "verdict", f"not later than {expires}", body["time"])
        session.group = None if complete else body
        session.call = body["call"]
        session.labels = body["labels"]
        if complete:
            session.calls[body["call_decision"]] += 1
            if verdict == 0:
                session.waiting.add(body["call"])
                most = MAX_WAITING
                require(len(session.waiting) <= most, "limit", f"{most} calls without outcome", "more")
        return unit

    @staticmethod
    def _outcome(session: Session, body: dict[str, Any]) -> None:
        require(session.group is None, "group", "a complete group", "an outcome")
        waits = body["call"] in session.waiting
        require(waits, "outcome", "an allowed call without outcome", body["call"])
        session.waiting.remove(body["call"])

    @staticmethod
    def _resume(session: Session) -> None:
        session.resumed += 1
        if session.group is not None:
            session.incomplete += 1
            session.group = None

    # After the checks of a line.

    def _stored_in_journal(self, line: Line, hash_: str, key: PublicKey | None) -> None:
        journal = self.journal
        seq = line.body["seq"]
        if key is not None:
            journal.identity = line.body["identity"]
            journal.epochs[line.body["epoch"]] = (key, line.body["signing"])
        position, checkpoint = self.options.position, self.options.checkpoint
        if seq == 0:
            journal.id = hash_
            if checkpoint is not None:
                require(checkpoint.journal == hash_, "checkpoint", checkpoint.journal, hash_)
        if position is not None and position[0] == seq:
            require(position[1] == hash_, "position", position[1], hash_)
        if checkpoint is not None and checkpoint.size == journal.count:
            root = merkle.root(journal.peaks)
            require(root == checkpoint.root, "checkpoint", checkpoint.root.hex(), root.hex())

    def _stored_in_session(self, session: Session, stored: Stored) -> None:
        session.recent.append(stored)
        for head in session.heads.pop(session.count, ()):
            self._compare(session, session.count, head, stored)
            session.pending -= 1

    # The end of the file.

    def finish(self, torn: int) -> dict[str, object]:
        """The checks of §8.3 and §8.4 that need the whole file, and the report of §8.6."""
        try:
            require(self.lines > 0, "start", "line 0 of the journal", "no line")
            chains: list[Chain] = [self.journal, *self.sessions.values()]
            for chain in sorted(chains, key=lambda chain: chain.owed.line if chain.owed else 0):
                self._settle(chain)
            for id_, session in self.sessions.items():
                gone = session.heads and not (self.options.withheld and session.count == 0)
                require(not gone, "cut", f"{session.counted} lines of session {id_}", session.count)
            count, position, checkpoint = self.journal.count, self.options.position, self.options.checkpoint
            if position is not None:
                require(position[0] < count, "cut", f"a journal with line {position[0]}", f"{count} lines")
            if checkpoint is not None:
                size = checkpoint.size
                require(size <= count, "cut", f"{size} lines of the journal", count)
        except Refusal as refusal:
            refusal.line = refusal.line or 0
            raise
        return self._report(torn)

    def _report(self, torn: int) -> dict[str, object]:
        journal, options = self.journal, self.options
        signatures = "none" if options.links_only else "last" if options.last_signature else "all"
        anchors: dict[str, int] = {}
        if options.position is not None:
            anchors["position"] = options.position[0] + 1
        if options.checkpoint is not None:
            anchors["checkpoint"] = options.checkpoint.size
        return {
            "result": "ok",
            "journal": journal.id,
            "identity": journal.identity,
            "journal_lines": journal.count,
            "last": journal.last,
            "epoch": journal.epoch,
            "time": journal.time,
            "lines": self.lines,
            "sessions": len(self.sessions),
            "torn": torn,
            "signatures": signatures,
            "anchors": anchors,
            "cut_tail_excluded_up_to": max(anchors.values(), default=0),
            "details": [self._report_session(id_, s) for id_, s in self.sessions.items()],
        }

    def _report_session(self, id_: str, session: Session) -> dict[str, object]:
        if not session.count:
            withheld = bool(session.heads)
            return {"session": id_, "agent": session.agent, "lines": 0, "withheld": withheld}
        proven = 0
        if not self.options.links_only:
            every = session.fields["signing"] == "every"
            proven = session.count if every else max(1, session.proven)
        after_close = session.count - session.counted if session.closed is not None else 0
        return {
            "session": id_,
            "agent": session.agent,
            "task": session.fields["task"],
            "lines": session.count,
            "last": session.last,
            "proven": proven,
            "ended": session.ended,
            "closed": session.closed,
            "labels": session.labels,
            "calls": session.calls,
            "incomplete_groups": session.incomplete + (session.group is not None),
            "without_outcome": len(session.waiting),
            "resumed": session.resumed,
            "unconfirmed": after_close,
        }


def verify_file(file: BinaryIO, options: Options) -> dict[str, object]:
    """Verifies a whole file, of which it holds one line at a time. Raises `Refusal`."""
    verifier = Verifier(options)
    torn = 0
    while data := file.readline(MAX_LINE + 1):
        if data.endswith(b"\n"):
            verifier.feed(data[:-1])
            continue
        if len(data) > MAX_LINE:
            verifier.feed(data)
        torn = len(data)
    return verifier.finish(torn)
