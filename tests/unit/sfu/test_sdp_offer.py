"""Reading offers, good and bad."""

from __future__ import annotations

import contextlib
import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.sdp.offer import HeaderExtension, SdpError, parse_offer
from tests.unit.sfu.offers import PUBLISHERS, VIEWERS, offer

INPUTS = int(os.environ.get("SPILLWAY_FUZZ", "300"))


def test_what_aiortc_drops_is_kept() -> None:
    audio, video = parse_offer(offer("chromium-simulcast")).sections
    assert video.rids == ("h", "m", "l")
    assert video.rtcp_rsize
    assert video.ssrcs == ()
    assert audio.payload_types[1].fmtp == "111/111"
    assert video.extensions[0] == HeaderExtension(14, "urn:ietf:params:rtp-hdrext:toffset")
    assert video.rtx_of(102) is not None
    assert video.rtx_of(118) is not None
    assert video.rtx_of(97) is None


def test_direction_suffix_of_an_extension_is_stripped() -> None:
    audio = parse_offer(offer("firefox-publish")).sections[0]
    assert HeaderExtension(2, "urn:ietf:params:rtp-hdrext:csrc-audio-level") in audio.extensions


def test_ssrc_groups_pair_media_and_rtx() -> None:
    video = parse_offer(offer("ffmpeg-publish")).sections[1]
    ((media, rtx),) = video.ssrcs
    assert rtx == media + 1


def test_credentials_and_fingerprint_at_session_level() -> None:
    parsed = parse_offer(offer("obs-publish"))
    assert parsed.ice.ufrag == "X3r1"
    assert "qISRooAulFtu09ZJ+tQL63" not in repr(parsed)
    assert parsed.fingerprints[0].algorithm == "sha-256"
    assert parsed.setup == "actpass"


def test_simulcast_alternatives_and_paused_streams() -> None:
    text = offer("chromium-simulcast").replace("a=simulcast:send h;m;l", "a=simulcast:send h,m;~l")
    assert parse_offer(text).sections[1].rids == ("h", "l")


BAD = {
    "empty": lambda text: "",
    "not sdp": lambda text: "hello",
    "no m-line": lambda text: text[: text.index("m=audio")],
    "no ufrag": lambda text: text.replace("a=ice-ufrag", "a=x-ufrag"),
    "short pwd": lambda text: text.replace("a=ice-pwd:ujcwb96ZAYcUq8XbSgARH6Av", "a=ice-pwd:short"),
    "no fingerprint": lambda text: text.replace("a=fingerprint", "a=x-fingerprint"),
    "sha-1 only": lambda text: text.replace("a=fingerprint:sha-256", "a=fingerprint:sha-1"),
    "no setup": lambda text: text.replace("a=setup:actpass\r\n", ""),
    "bad setup": lambda text: text.replace("a=setup:actpass", "a=setup:holdconn"),
    "no bundle": lambda text: text.replace("a=group:BUNDLE 0 1\r\n", ""),
    "same mid twice": lambda text: text.replace("a=mid:1\r\n", "a=mid:0\r\n"),
    "no mid": lambda text: text.replace("a=mid:0\r\n", "").replace("a=group:BUNDLE 0 1\r\n", ""),
    "bad payload type": lambda text: text.replace("SAVPF 111", "SAVPF x"),
    "bad fmtp": lambda text: text.replace("a=fmtp:111 ", "a=fmtp:opus "),
    "unknown rid": lambda text: text.replace("a=simulcast:send h;m;l", "a=simulcast:send h;q"),
    "rtpmap without rate": lambda text: text.replace("a=rtpmap:96 VP8/90000", "a=rtpmap:96 VP8"),
    "SSRC of 65 bits": lambda text: text + f"a=ssrc:{2**64} cname:x\r\n",
    "negative SSRC": lambda text: text + "a=ssrc:-1 cname:x\r\n",
    "group of 33 bits": lambda text: text + f"a=ssrc-group:FID 1 {2**32}\r\na=ssrc:1 cname:x\r\n",
    "too many SSRCs": lambda text: text + "".join(f"a=ssrc:{i} cname:x\r\n" for i in range(1025)),
    "too many wildcards": lambda text: text + "a=rtcp-fb:* x\r\n" * 17,
    "too many rtpmaps": lambda text: text + "a=rtpmap:96 VP8/90000\r\n" * 129,
    "too many rids": lambda text: text + "a=rid:x send\r\n" * 17,
    "no sctp-port": lambda text: text + "m=application 9 UDP/DTLS/SCTP x\r\na=mid:2\r\na=sctp-port:70000\r\n",
    "other than ice-chars": lambda text: text.replace("a=ice-ufrag:", "a=ice-ufrag:é"),
    "too many m-lines": lambda text: text + "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" * 64,
}


@pytest.mark.parametrize("name", BAD)
def test_bad_offers_are_refused(name: str) -> None:
    with pytest.raises(SdpError):
        parse_offer(BAD[name](offer("chromium-simulcast")))


@pytest.mark.parametrize("name", PUBLISHERS + VIEWERS)
def test_damage_never_raises_anything_else(name: str) -> None:
    text = offer(name)
    draw = random.Random(name)
    for _ in range(INPUTS):
        lines = text.split("\r\n")
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(lines))
            line = lines[at]
            cut = draw.randint(0, len(line))
            lines[at] = draw.choice(
                [line[:cut], line[cut:], line + line, "", line.replace(" ", ""), "m=" + line]
            )
        with contextlib.suppress(SdpError):
            parse_offer("\r\n".join(lines))


@given(st.text())
def test_any_text_is_an_offer_or_refused(text: str) -> None:
    for candidate in (text, "v=0\r\n" + text):
        with contextlib.suppress(SdpError):
            parse_offer(candidate)
