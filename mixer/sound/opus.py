"""Opus decoding by libopus itself, for what FFmpeg does not offer: concealment and in-band FEC.

The system's libopus.so.0 (Debian: libopus0) is taken, else the one inside PyAV's wheel.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from cffi import FFI

from mixer.sound import RATE

__all__ = ["OpusDecoder", "OpusError", "OpusMissing", "packet_samples"]

Samples = npt.NDArray[np.float32]
# RFC 6716 section 2.1.4: a packet holds at most 120 ms.
MAX_SAMPLES = RATE * 120 // 1000

_DECLARATIONS = """
typedef struct OpusDecoder OpusDecoder;
OpusDecoder *opus_decoder_create(int32_t rate, int channels, int *error);
void opus_decoder_destroy(OpusDecoder *decoder);
int opus_decode_float(OpusDecoder *decoder, const unsigned char *data, int32_t length,
                      float *pcm, int frame_size, int decode_fec);
int opus_packet_get_nb_samples(const unsigned char *packet, int32_t length, int32_t rate);
const char *opus_strerror(int error);
"""


class OpusMissing(RuntimeError):
    """There is no libopus on this machine; the message says how to get one."""


class OpusError(ValueError):
    """libopus refused a packet."""


@cache
def _library() -> tuple[FFI, Any]:
    ffi = FFI()
    ffi.cdef(_DECLARATIONS)
    bundled = sorted((Path(av.__file__).parent.parent / "av.libs").glob("libopus-*.so*"))
    for name in ("libopus.so.0", "libopus.0.dylib", *map(str, bundled)):
        try:
            return ffi, ffi.dlopen(name)
        except OSError:
            continue
    raise OpusMissing("libopus was not found; install it (Debian and Ubuntu: apt install libopus0)")


def _reason(code: int) -> str:
    ffi, lib = _library()
    text = ffi.string(lib.opus_strerror(code))
    return text if isinstance(text, str) else text.decode()


def packet_samples(packet: bytes) -> int:
    """Duration of a packet in samples at 48 kHz. Raises OpusError for what is no Opus packet."""
    ffi, lib = _library()
    count = lib.opus_packet_get_nb_samples(ffi.from_buffer(packet), len(packet), RATE)
    if count <= 0:
        raise OpusError("no Opus packet")
    return int(count)


class OpusDecoder:
    """One host's decoder. All results are (samples, 2) float32, nominally -1 to 1."""

    def __init__(self) -> None:
        self._ffi, self._lib = _library()
        error = self._ffi.new("int *")
        decoder = self._lib.opus_decoder_create(RATE, 2, error)
        if error[0]:
            raise OpusError(_reason(error[0]))
        self._decoder = self._ffi.gc(decoder, self._lib.opus_decoder_destroy)

    def decode(self, packet: bytes) -> Samples:
        """Raises OpusError for a damaged packet; the decoder stays usable."""
        return self._call(packet, MAX_SAMPLES, fec=False)

    def conceal(self, samples: int) -> Samples:
        """Continue the sound over a loss; ``samples`` is rounded up to 2.5 ms, at most 120 ms."""
        return self._call(None, _frames(samples), fec=False)

    def recover(self, following: bytes, samples: int) -> Samples:
        """The lost sound before ``following``, from its in-band FEC, or concealed where it has none.

        RFC 6716 section 2.1.7; ``samples`` is rounded up to 2.5 ms, at most 120 ms.
        """
        return self._call(following, _frames(samples), fec=True)

    def _call(self, packet: bytes | None, size: int, fec: bool) -> Samples:
        pcm = np.empty((size, 2), np.float32)
        data = self._ffi.NULL if packet is None else self._ffi.from_buffer(packet)
        length = 0 if packet is None else len(packet)
        out = self._ffi.cast("float *", pcm.ctypes.data)
        count = self._lib.opus_decode_float(self._decoder, data, length, out, size, int(fec))
        if count < 0:
            raise OpusError(_reason(count))
        return pcm[:count]


def _frames(samples: int) -> int:
    """Concealment works in multiples of 2.5 ms (opus_decoder.h)."""
    return min(-(-samples // 120) * 120, MAX_SAMPLES)
