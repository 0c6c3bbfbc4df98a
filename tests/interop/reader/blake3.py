"""BLAKE3 in the two modes of §3, with 32 bytes of output.

The `blake3` package is taken where it is installed; without it the functions here do the same, slowly.
"""

from __future__ import annotations

import struct

try:
    import blake3 as package
except ImportError:
    package = None  # type: ignore[assignment]

IMPLEMENTATION = "the blake3 package" if package else "BLAKE3 without the package"

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
KEYED_HASH, DERIVE_KEY_CONTEXT, DERIVE_KEY_MATERIAL = 16, 32, 64
BLOCK, CHUNK = 64, 1024
MASK = 0xFFFFFFFF

Words = tuple[int, ...]


def _schedule() -> list[Words]:
    """The order of the message words in each of the seven rounds."""
    order: Words = tuple(range(16))
    rounds = []
    for _ in range(7):
        rounds.append(order)
        order = tuple(order[i] for i in PERMUTATION)
    return rounds


SCHEDULE = _schedule()


def _mix(a: int, b: int, c: int, d: int, x: int, y: int) -> tuple[int, int, int, int]:
    a = (a + b + x) & MASK
    d ^= a
    d = d >> 16 | (d << 16) & MASK
    c = (c + d) & MASK
    b ^= c
    b = b >> 12 | (b << 20) & MASK
    a = (a + b + y) & MASK
    d ^= a
    d = d >> 8 | (d << 24) & MASK
    c = (c + d) & MASK
    b ^= c
    return a, b >> 7 | (b << 25) & MASK, c, d


def _compress(value: Words, block: bytes, counter: int, length: int, flags: int) -> Words:
    """The first half of the output of the compression function: the next chaining value."""
    m = struct.unpack("<16I", block)
    a0, a1, a2, a3, b0, b1, b2, b3 = value
    c0, c1, c2, c3 = IV[:4]
    d0, d1, d2, d3 = counter & MASK, counter >> 32, length, flags
    for s in SCHEDULE:
        a0, b0, c0, d0 = _mix(a0, b0, c0, d0, m[s[0]], m[s[1]])
        a1, b1, c1, d1 = _mix(a1, b1, c1, d1, m[s[2]], m[s[3]])
        a2, b2, c2, d2 = _mix(a2, b2, c2, d2, m[s[4]], m[s[5]])
        a3, b3, c3, d3 = _mix(a3, b3, c3, d3, m[s[6]], m[s[7]])
        a0, b1, c2, d3 = _mix(a0, b1, c2, d3, m[s[8]], m[s[9]])
        a1, b2, c3, d0 = _mix(a1, b2, c3, d0, m[s[10]], m[s[11]])
        a2, b3, c0, d1 = _mix(a2, b3, c0, d1, m[s[12]], m[s[13]])
        a3, b0, c1, d2 = _mix(a3, b0, c1, d2, m[s[14]], m[s[15]])
    return a0 ^ c0, a1 ^ c1, a2 ^ c2, a3 ^ c3, b0 ^ d0, b1 ^ d1, b2 ^ d2, b3 ^ d3


def _chunk(key: Words, data: bytes, counter: int, flags: int, root: int) -> Words:
    value, start = key, CHUNK_START
    last = max(0, (len(data) - 1) // BLOCK)
    for i in range(last + 1):
        block = data[BLOCK * i : BLOCK * i + BLOCK]
        end = CHUNK_END | root if i == last else 0
        value = _compress(value, block.ljust(BLOCK, b"\0"), counter, len(block), flags | start | end)
        start = 0
    return value


def _tree(key: Words, data: bytes, counter: int, flags: int, root: int) -> Words:
    """The chaining value of a run of chunks: the left half is the largest power of two below the whole."""
    chunks = (len(data) + CHUNK - 1) // CHUNK
    if chunks <= 1:
        return _chunk(key, data, counter, flags, root)
    half = 1 << (chunks - 1).bit_length() - 1
    left = _tree(key, data[: half * CHUNK], counter, flags, 0)
    right = _tree(key, data[half * CHUNK :], counter + half, flags, 0)
    return _compress(key, struct.pack("<16I", *left, *right), 0, BLOCK, flags | PARENT | root)


def _hash(key: Words, data: bytes, flags: int) -> bytes:
    return struct.pack("<8I", *_tree(key, data, 0, flags, ROOT))


def slow_derive_key(context: str, data: bytes) -> bytes:
    """`derive_key` without the package."""
    key = struct.unpack("<8I", _hash(IV, context.encode(), DERIVE_KEY_CONTEXT))
    return _hash(key, data, DERIVE_KEY_MATERIAL)


def slow_keyed_hash(key: bytes, data: bytes) -> bytes:
    """`keyed_hash` without the package."""
    return _hash(struct.unpack("<8I", key), data, KEYED_HASH)


def derive_key(context: str, data: bytes) -> bytes:
    """`derive_key(context, bytes)` of §3."""
    if package is None:
        return slow_derive_key(context, data)
    return package.blake3(data, derive_key_context=context).digest()


def keyed_hash(key: bytes, data: bytes) -> bytes:
    """`keyed_hash(key, bytes)` of §3."""
    if package is None:
        return slow_keyed_hash(key, data)
    return package.blake3(data, key=key).digest()
