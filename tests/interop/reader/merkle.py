"""The trees of §3: RFC 6962 §2.1 with SHA-256."""

from __future__ import annotations

import hashlib


def leaf_hash(line: bytes) -> bytes:
    """The hash of one leaf."""
    return hashlib.sha256(b"\0" + line).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return hashlib.sha256(b"\1" + left + right).digest()


Peaks = tuple[tuple[int, bytes], ...]
"""The full subtrees of a tree from left to right: how many leaves, and the root."""


def push(peaks: Peaks, leaf: bytes) -> Peaks:
    """The peaks after one more leaf: equal neighbours join."""
    size = 1
    while peaks and peaks[-1][0] == size:
        leaf = node_hash(peaks[-1][1], leaf)
        peaks = peaks[:-1]
        size *= 2
    return peaks + ((size, leaf),)


def root(peaks: Peaks) -> bytes:
    """The root over all leaves so far, at least one."""
    value = peaks[-1][1]
    for _, left in reversed(peaks[:-1]):
        value = node_hash(left, value)
    return value


def included(leaf: bytes, index: int, size: int, proof: list[bytes], expected: bytes) -> bool:
    """Whether the inclusion proof leads from the leaf to the root (RFC 6962 §2.1.1)."""
    if index >= size:
        return False
    value = leaf
    last = size - 1
    for sibling in proof:
        if last == 0:
            return False
        if index & 1 or index == last:
            value = node_hash(sibling, value)
            while not index & 1 and index:
                index >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        index >>= 1
        last >>= 1
    return last == 0 and value == expected
