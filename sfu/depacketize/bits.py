"""Reads bit fields, Exp-Golomb codes and LEB128 numbers."""

from __future__ import annotations

from sfu.depacketize.access_unit import MalformedPayload

__all__ = ["BitReader", "read_leb128", "write_leb128"]


class BitReader:
    """Most significant bit first. Every method raises MalformedPayload at the end of the data."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def u(self, bits: int) -> int:
        """An unsigned number of ``bits`` bits."""
        if bits > self._left:
            raise MalformedPayload("header ends early")
        self._left -= bits
        return (self._value >> self._left) & ((1 << bits) - 1)

    def ue(self) -> int:
        """Exp-Golomb, unsigned (H.264 section 9.1); also AV1's uvlc()."""
        zeros = 0
        while not self.u(1):
            zeros += 1
            if zeros > 32:
                raise MalformedPayload("Exp-Golomb code too long")
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Exp-Golomb, signed (H.264 section 9.1.1)."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def read_leb128(data: bytes, offset: int) -> tuple[int, int]:
    """A LEB128 number of at most 4 useful bytes at ``offset``: its value and the offset behind it.

    Raises MalformedPayload.
    """
    value = 0
    for index in range(8):
        if offset + index >= len(data):
            raise MalformedPayload("LEB128 ends early")
        byte = data[offset + index]
        value |= (byte & 0x7F) << (7 * index)
        if not byte & 0x80:
            return value, offset + index + 1
    raise MalformedPayload("LEB128 too long")


def write_leb128(value: int) -> bytes:
    """The shortest LEB128 form of ``value``."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
