"""Strict Ed25519 verification (§5.1): RFC 8032, pure, no context, no cofactor.

A public key must be the canonical encoding of a point of prime order. Since such a key and the base
point both have prime order, the point that the equation yields has it too, or is the neutral element.
So it is enough to compare the encoding of that point with the bytes of `R`: this makes `R` canonical,
and only the neutral element is left to be refused as a point of small order.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)

Point = tuple[int, int, int, int]
"""Extended coordinates X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z."""

Table = list[list[tuple[int, int, int]]]
"""For each window of four bits and each value 1…15: y + x, y − x and 2dxy of that multiple."""

NEUTRAL: Point = (0, 1, 1, 0)
NEUTRAL_BYTES = (1).to_bytes(32, "little")


class WeakKey(ValueError):
    """A public key that §5.1 refuses."""


def _add(a: Point, b: Point) -> Point:
    """The sum of two points; complete on this curve (RFC 8032 §5.1.4)."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    lo = (y1 - x1) * (y2 - x2) % P
    hi = (y1 + x1) * (y2 + x2) % P
    t = 2 * D * t1 * t2 % P
    z = 2 * z1 * z2 % P
    e, f, g, h = hi - lo, z - t, z + t, hi + lo
    return e * f % P, g * h % P, f * g % P, e * h % P


def _double(a: Point) -> Point:
    x, y, z, _ = a
    xx, yy = x * x % P, y * y % P
    h = xx + yy
    e = h - (x + y) * (x + y) % P
    g = xx - yy
    f = 2 * z * z % P + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def _multiply(n: int, a: Point) -> Point:
    total = NEUTRAL
    while n:
        if n & 1:
            total = _add(total, a)
        a = _double(a)
        n >>= 1
    return total


def _is_neutral(a: Point) -> bool:
    x, y, z, _ = a
    return x % P == 0 and (y - z) % P == 0


def encode(a: Point) -> bytes:
    """The canonical encoding of a point."""
    x, y, z, _ = a
    inverse = pow(z, -1, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data: bytes) -> Point | None:
    """The point of a canonical encoding, None of anything else."""
    if len(data) != 32:
        return None
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * SQRT_OF_MINUS_ONE % P
    if x * x % P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def _invert_all(values: list[int]) -> list[int]:
    """The inverses of many numbers at the price of one inversion."""
    products, running = [], 1
    for value in values:
        products.append(running)
        running = running * value % P
    inverse = pow(running, -1, P)
    out = [0] * len(values)
    for i in range(len(values) - 1, -1, -1):
        out[i] = inverse * products[i] % P
        inverse = inverse * values[i] % P
    return out


def _table(base: Point) -> Table:
    """Multiples of a point, so that a multiplication is 64 additions and no doubling."""
    points: list[Point] = []
    for _ in range(64):
        multiple = base
        for _ in range(15):
            points.append(multiple)
            multiple = _add(multiple, base)
        base = multiple
    flat = []
    for (x, y, _, _), inverse in zip(points, _invert_all([point[2] for point in points])):
        x, y = x * inverse % P, y * inverse % P
        flat.append((y + x, y - x, 2 * D * x * y % P))
    return [flat[15 * i : 15 * i + 15] for i in range(64)]


def _accumulate(total: Point, n: int, table: Table) -> Point:
    """`total` plus `n` times the point of the table."""
    x1, y1, z1, t1 = total
    for window in table:
        digit = n & 15
        n >>= 4
        if digit:
            plus, minus, xyd = window[digit - 1]
            lo = (y1 - x1) * minus % P
            hi = (y1 + x1) * plus % P
            t = t1 * xyd % P
            z = z1 + z1
            e, f, g, h = hi - lo, z - t, z + t, hi + lo
            x1, y1, z1, t1 = e * f % P, g * h % P, f * g % P, e * h % P
    return x1, y1, z1, t1


def _base() -> Point:
    point = decode((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
    assert point is not None
    return point


BASE = _base()


@lru_cache(maxsize=1)
def _base_table() -> Table:
    return _table(BASE)


class PublicKey:
    """A key that has passed §5.1."""

    def __init__(self, data: bytes) -> None:
        point = decode(data)
        if point is None:
            raise WeakKey("not the canonical encoding of a point")
        if _is_neutral(_multiply(8, point)):
            raise WeakKey("of small order")
        if not _is_neutral(_multiply(L, point)):
            raise WeakKey("with a torsion component")
        self.data = data
        self._point = point
        self._multiples: Table | None = None

    def challenge(self, signature: bytes, message: bytes) -> int:
        """What a signature answers: all that is needed of the message."""
        digest = hashlib.sha512(signature[:32] + self.data + message).digest()
        return int.from_bytes(digest, "little") % L

    def answers(self, signature: bytes, challenge: int) -> bool:
        """Whether a signature is right for that challenge."""
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        if len(signature) != 64 or s >= L or r == NEUTRAL_BYTES:
            return False
        if self._multiples is None:
            self._multiples = _table(self._point)
        total = _accumulate(NEUTRAL, s, _base_table())
        return encode(_accumulate(total, L - challenge, self._multiples)) == r

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Whether a signature of this key over the message is right."""
        return len(signature) == 64 and self.answers(signature, self.challenge(signature, message))


@lru_cache(maxsize=64)
def public_key(data: bytes) -> PublicKey:
    """A checked key; the last ones keep their tables. Raises `WeakKey`."""
    return PublicKey(data)
