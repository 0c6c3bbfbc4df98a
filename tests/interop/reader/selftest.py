"""The primitives against published vectors, and against forgeries that §5.1 asks to refuse."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from . import blake3, ed25519, merkle
from .ed25519 import BASE, L, NEUTRAL_BYTES, P, PublicKey, WeakKey, _add, _multiply, decode, encode

RFC_8032 = (
    # Section 7.1: TEST 1, 2, 3 and SHA(abc): seed, public key, message, signature.
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
        "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
)

BLAKE3 = (
    # test_vectors.json of the BLAKE3 project: length of the input, keyed_hash, derive_key (32 bytes each).
    (
        0,
        "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
        "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
    ),
    (
        1,
        "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
        "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c",
    ),
    (
        1023,
        "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
        "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5",
    ),
    (
        1024,
        "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
        "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a6896843027066",
    ),
    (
        1025,
        "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
        "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb",
    ),
    (
        3073,
        "68dede9bef00ba89e43f31a6825f4cf433389fedae75c04ee9f0cf16a427c95a",
        "72613c9ec9ff7e40f8f5c173784c532ad852e827dba2bf85b2ab4b76f7079081",
    ),
    (
        7169,
        "ed9b1a922c046fdb3d423ae34e143b05ca1bf28b710432857bf738bcedbfa511",
        "554b0a5efea9ef183f2f9b931b7497995d9eb26f5c5c6dad2b97d62fc5ac31d9",
    ),
)
BLAKE3_KEY = b"whats the Elvish word for friend"
BLAKE3_CONTEXT = "BLAKE3 2019-12-27 16:29:52 test vectors context"

# RFC 9162 and its predecessors publish no vectors of trees; these roots follow from the definition in §3.
LEAVES = [bytes([i]) * i for i in range(20)]

Result = tuple[str, bool]


def _secret(seed: bytes) -> tuple[int, bytes]:
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    return scalar, digest[32:]


def _refused(data: bytes) -> bool:
    try:
        PublicKey(data)
    except WeakKey:
        return True
    return False


def _torsion() -> ed25519.Point:
    """A point of order 8: the part of small order of the first point that has the whole of it."""
    for y in range(2, 100):
        point = decode(y.to_bytes(32, "little"))
        if point is not None:
            small = _multiply(L, point)
            if encode(_multiply(4, small)) != NEUTRAL_BYTES:
                return small
    raise AssertionError("no such point")


def _ed25519() -> Iterator[Result]:
    for number, (seed, key, message, signature) in enumerate(RFC_8032, 1):
        scalar, _ = _secret(bytes.fromhex(seed))
        data, text, sig = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
        yield f"RFC 8032 key {number}", encode(_multiply(scalar, BASE)) == data
        public = PublicKey(data)
        yield f"RFC 8032 signature {number}", public.verify(sig, text)
        yield f"another message {number}", not public.verify(sig, text + b"\0")
        high = sig[:32] + (int.from_bytes(sig[32:], "little") + L).to_bytes(32, "little")
        yield f"S plus L {number}", not public.verify(high, text)
        flipped = bytes([sig[0] ^ 1]) + sig[1:]
        yield f"another R {number}", not public.verify(flipped, text)

    small = _torsion()
    for i in range(8):
        data = encode(_multiply(i, small))
        yield f"key of small order {i}", _refused(data)
        yield f"its other sign {i}", _refused(bytes([*data[:31], data[31] ^ 0x80]))
    scalar, prefix = _secret(b"\x01" * 32)
    good = _multiply(scalar, BASE)
    for i in range(1, 8):
        yield f"key with torsion {i}", _refused(encode(_add(good, _multiply(i, small))))
    for y in range(P, 2**255):
        yield f"key that is not canonical {y - P}", _refused(y.to_bytes(32, "little"))
    yield "key that is no point", _refused((2).to_bytes(32, "little"))

    public = PublicKey(encode(good))

    def forge(r: bytes, nonce: int) -> bytes:
        s = (nonce + public.challenge(r + bytes(32), b"m") * scalar) % L
        return r + s.to_bytes(32, "little")

    nonce = int.from_bytes(prefix, "little") % L
    commitment = _multiply(nonce, BASE)
    yield "a signature of its own", public.verify(forge(encode(commitment), nonce), b"m")
    yield "R that is neutral", not public.verify(forge(NEUTRAL_BYTES, 0), b"m")
    for i in range(1, 8):
        torsion = _multiply(i, small)
        yield f"R of small order {i}", not public.verify(forge(encode(torsion), 0), b"m")
        yield f"R with torsion {i}", not public.verify(forge(encode(_add(commitment, torsion)), nonce), b"m")
    other = (P + 1).to_bytes(32, "little")
    yield "R that is not canonical", not public.verify(forge(other, 0), b"m")


def _blake3() -> Iterator[Result]:
    for length, keyed, derived in BLAKE3:
        data = bytes(i % 251 for i in range(length))
        yield f"BLAKE3 keyed_hash {length}", blake3.slow_keyed_hash(BLAKE3_KEY, data).hex() == keyed[:64]
        yield f"BLAKE3 derive_key {length}", blake3.slow_derive_key(BLAKE3_CONTEXT, data).hex() == derived[:64]
        yield f"keyed_hash in use {length}", blake3.keyed_hash(BLAKE3_KEY, data).hex() == keyed[:64]
        yield f"derive_key in use {length}", blake3.derive_key(BLAKE3_CONTEXT, data).hex() == derived[:64]


def _root(leaves: list[bytes]) -> bytes:
    """§3, word for word."""
    if len(leaves) == 1:
        return merkle.leaf_hash(leaves[0])
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return merkle.node_hash(_root(leaves[:k]), _root(leaves[k:]))


def _path(index: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 §2.1.1, word for word."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if index < k:
        return [*_path(index, leaves[:k]), _root(leaves[k:])]
    return [*_path(index - k, leaves[k:]), _root(leaves[:k])]


def _merkle() -> Iterator[Result]:
    peaks: merkle.Peaks = ()
    for size in range(1, len(LEAVES) + 1):
        leaves = LEAVES[:size]
        peaks = merkle.push(peaks, merkle.leaf_hash(leaves[-1]))
        root = _root(leaves)
        yield f"root of {size}", merkle.root(peaks) == root
        for index in range(size):
            path, leaf = _path(index, leaves), merkle.leaf_hash(leaves[index])
            right = merkle.included(leaf, index, size, path, root)
            longer = merkle.included(leaf, index, size, [*path, root], root)
            shorter = bool(path) and merkle.included(leaf, index, size, path[:-1], root)
            moved = any(merkle.included(leaf, i, size, path, root) for i in range(size) if i != index)
            yield f"inclusion of {index} in {size}", right and not (longer or shorter or moved)


def run() -> int:
    """Runs all; one line for each failure, and a summary."""
    total = wrong = 0
    for name, holds in [*_ed25519(), *_blake3(), *_merkle()]:
        total += 1
        if not holds:
            wrong += 1
            print(f"FAILS: {name}")
    print(f"{total} self tests with {blake3.IMPLEMENTATION}, {wrong} fail")
    return 1 if wrong else 0
