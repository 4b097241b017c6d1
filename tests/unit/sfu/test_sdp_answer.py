"""Whole answers to recorded offers."""

from __future__ import annotations

import pytest
from aiortc.sdp import SessionDescription

from sfu.sdp.answer import Candidate, LocalEnd, publish_answer, subscribe_answer
from sfu.sdp.codecs import CodecPolicy, NoCommonCodec
from sfu.sdp.negotiation import Sender, accept_publisher, accept_viewer
from sfu.sdp.offer import Fingerprint, IceCredentials, SdpError, parse_offer
from tests.unit.sfu.offers import PUBLISHERS, VIEWERS, answer, offer

POLICY = CodecPolicy()


def local(setup: str) -> LocalEnd:
    return LocalEnd(
        session_id=1234567890,
        ice=IceCredentials("ourufrag", "ourpasswordourpasswordour"),
        fingerprint=Fingerprint("sha-256", ":".join(["AB"] * 32)),
        setup="active" if setup == "passive" else "passive",
        candidates=[Candidate("192.0.2.7", 7882), Candidate("2001:db8::7", 7882)],
    )


def answer_to(name: str) -> str:
    parsed = parse_offer(offer(name))
    if "watch" not in name:
        return publish_answer(accept_publisher(parsed, POLICY), local(parsed.setup))
    agreement = accept_viewer(parsed, POLICY)
    media = tuple(
        m.with_sender(Sender("program", f"program-{m.section.kind}", 1000 + i, 2000 + i, "cname"))
        for i, m in enumerate(agreement.media)
    )
    agreement = type(agreement)(parsed, media, agreement.data, agreement.transport_cc, agreement.remb)
    return subscribe_answer(agreement, local(parsed.setup))


@pytest.mark.parametrize("name", PUBLISHERS + VIEWERS)
def test_whole_answer(name: str) -> None:
    assert answer_to(name) == answer(name)


@pytest.mark.parametrize("name", PUBLISHERS + VIEWERS)
def test_another_parser_reads_the_answer(name: str) -> None:
    session = SessionDescription.parse(answer_to(name))
    assert all(media.ice.iceLite for media in session.media)
    assert [media.rtp.muxId for media in session.media] == session.group[0].items
    assert {len(media.ice_candidates) for media in session.media} == {4}


def test_ffmpeg_is_the_dtls_server() -> None:
    assert parse_offer(offer("ffmpeg-publish")).setup == "passive"
    assert "a=setup:active\r\n" in answer_to("ffmpeg-publish")


def test_unknown_and_rejected_sections_are_refused_in_place() -> None:
    text = (
        offer("obs-publish")
        + "m=text 9 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:t\r\na=sendrecv\r\n"
    )
    text = text.replace("a=group:BUNDLE 0 1\r\n", "a=group:BUNDLE 0 1 t\r\n")
    agreement = accept_publisher(parse_offer(text), POLICY)
    written = publish_answer(agreement, local("actpass"))
    assert "a=group:BUNDLE 0 1\r\n" in written
    assert written.endswith("m=text 0 UDP/TLS/RTP/SAVPF 98\r\nc=IN IP4 0.0.0.0\r\na=mid:t\r\na=inactive\r\n")


def test_policy_orders_a_publishers_codecs_and_the_viewer_its_own() -> None:
    publisher = accept_publisher(parse_offer(offer("chromium-publish")), POLICY).of_kind("video")
    viewer = accept_viewer(parse_offer(offer("chromium-watch")), POLICY).of_kind("video")
    assert publisher is not None
    assert viewer is not None
    assert publisher.codecs[0].payload_type.name == "H264"
    assert viewer.codecs[0].payload_type.name == "VP8"
    assert {c.payload_type.name for c in viewer.codecs} == {"H264", "VP8", "VP9", "AV1"}
    assert all(c.rtx is not None for c in viewer.codecs)


def test_engine_codec_of_an_accepted_payload_type() -> None:
    media = accept_publisher(parse_offer(offer("chromium-publish")), POLICY).of_kind("video")
    assert media is not None
    assert media.codecs[0].spec() == {
        "payload_type": 102,
        "rtx_payload_type": 103,
        "name": "H264",
        "clock_rate": 90000,
        "channels": 1,
        "fmtp": "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f",
        "nack": True,
        "pli": True,
        "fir": True,
    }


def test_congestion_feedback_is_transport_cc_or_remb_or_none() -> None:
    def kinds(name: str) -> tuple[bool, bool]:
        agreement = accept_publisher(parse_offer(offer(name)), POLICY)
        return agreement.transport_cc, agreement.remb

    assert kinds("chromium-publish") == (True, False)
    assert kinds("obs-publish") == (False, True)
    assert kinds("ffmpeg-publish") == (False, False)


def test_extension_ids_of_simulcast() -> None:
    agreement = accept_publisher(parse_offer(offer("chromium-simulcast")), POLICY)
    ids = agreement.extension_ids()
    assert (ids["mid"], ids["rid"], ids["repaired_rid"], ids["transport_cc"]) == (4, 10, 11, 3)
    video = agreement.of_kind("video")
    assert video is not None
    assert video.rids == ("h", "m", "l")


def test_red_without_its_codec_is_not_taken() -> None:
    text = offer("chromium-publish").replace("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 speex/48000/2")
    with pytest.raises(NoCommonCodec) as caught:
        accept_publisher(parse_offer(text), POLICY)
    assert caught.value.kind == "audio"
    assert "speex" in caught.value.offered
    assert caught.value.accepted == ("opus", "red")


def test_no_common_video_codec_names_both_sides() -> None:
    with pytest.raises(NoCommonCodec) as caught:
        accept_publisher(parse_offer(offer("firefox-publish")), CodecPolicy(video=("H264",)))
    assert caught.value.offered[:2] == ("VP8", "VP9")
    assert caught.value.accepted == ("H264",)


def test_a_viewer_that_sends_and_a_publisher_that_receives_are_refused() -> None:
    with pytest.raises(SdpError, match="sends neither"):
        accept_publisher(parse_offer(offer("chromium-watch")), POLICY)
    with pytest.raises(SdpError, match="receives neither"):
        accept_viewer(parse_offer(offer("chromium-publish")), POLICY)
