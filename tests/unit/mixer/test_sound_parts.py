from __future__ import annotations

import numpy as np
import pytest

from mixer.sound import RATE
from mixer.sound.opus import OpusDecoder, OpusError, packet_samples
from mixer.sound.resample import AFTER, BEFORE, interpolate
from tests.unit.mixer.signals import opus_packets, sine


@pytest.mark.parametrize("step", [1.0, 1 + 300e-6, 1 - 300e-6, 1.005])
@pytest.mark.parametrize("hz", [100, 1000, 8000, 15000])
def test_resampling_keeps_a_tone_pure(step: float, hz: float) -> None:
    signal = sine(hz, 0.2)
    start = 123.4
    got = interpolate(signal, 0, start, step, 4800)
    want = 0.5 * np.sin(2 * np.pi * hz * (start + step * np.arange(4800)) / RATE)
    error = np.sqrt(np.mean((got[:, 0] - want) ** 2))
    assert 20 * np.log10(error / (0.5 / np.sqrt(2))) < -66
    assert (got[:, 0] == got[:, 1]).all()


def test_resampling_in_blocks_is_the_same_as_at_once() -> None:
    signal = sine(440, 0.5)
    whole = interpolate(signal, 0, 50.0, 1.0001, 4800)
    blocks = [interpolate(signal, 0, 50.0 + 480 * n * 1.0001, 1.0001, 480) for n in range(10)]
    assert np.allclose(np.concatenate(blocks), whole, atol=1e-6)
    with pytest.raises(ValueError, match="cover"):
        interpolate(signal[:100], 0, 50.0, 1.0, 100)
    assert len(interpolate(signal[: BEFORE + AFTER + 1], 0, float(BEFORE), 1.0, 1)) == 1


def test_opus_decodes_conceals_and_recovers() -> None:
    packets = opus_packets(sine(440, 1.0), fec=True)
    assert {packet_samples(packet) for packet in packets} == {960}
    whole = np.concatenate(_decode(packets, {}))
    concealed = np.concatenate(_decode(packets, {20: "conceal"}))
    recovered = np.concatenate(_decode(packets, {20: "recover"}))
    assert len(whole) == len(concealed) == len(recovered)
    span = slice(20 * 960, 21 * 960)
    power = np.sqrt(np.mean(whole[span] ** 2))
    assert np.sqrt(np.mean(concealed[span] ** 2)) > 0.5 * power
    assert np.sqrt(np.mean((recovered[span] - whole[span]) ** 2)) < 0.5 * power


def _decode(packets: list[bytes], lost: dict[int, str]) -> list[np.ndarray]:
    decoder, out = OpusDecoder(), []
    for index, packet in enumerate(packets):
        if lost.get(index) == "conceal":
            out.append(decoder.conceal(960))
        elif lost.get(index) == "recover":
            out.append(decoder.recover(packets[index + 1], 960))
        else:
            out.append(decoder.decode(packet))
    return out


def test_garbage_is_refused_and_the_decoder_lives() -> None:
    decoder = OpusDecoder()
    for garbage in (b"", b"\xff", b"\xff\xff\xff\xff"):
        with pytest.raises(OpusError):
            packet_samples(garbage)
    with pytest.raises(OpusError):
        decoder.decode(b"\xff\xff\xff\xff")
    assert len(decoder.decode(opus_packets(sine(440, 0.1))[0])) == 960
