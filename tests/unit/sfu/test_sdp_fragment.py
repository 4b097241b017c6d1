"""Trickle fragments (RFC 8840)."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfu.sdp.answer import Candidate
from sfu.sdp.fragment import IceFragment, parse_fragment, write_fragment
from sfu.sdp.offer import IceCredentials, SdpError

# RFC 9725 section 4.3.2, figure 5
TRICKLE = (
    "a=group:BUNDLE 0 1\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"
    "a=mid:0\r\n"
    "a=ice-ufrag:EsAw\r\n"
    "a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n"
    "a=candidate:1387637174 1 udp 2122260223 192.0.2.1 61764 typ host generation 0 "
    "ufrag EsAw network-id 1\r\n"
    "a=candidate:3471623853 1 udp 2122194687 198.51.100.2 61765 typ host generation 0 "
    "ufrag EsAw network-id 2\r\n"
    "a=end-of-candidates\r\n"
)


def test_trickled_candidates() -> None:
    ice = IceCredentials("EsAw", "P2uYro0UCOQ4zxjKXaWCBui1")
    assert parse_fragment(TRICKLE) == IceFragment(ice, 2, True)


def test_restart_answer_is_a_fragment_itself() -> None:
    ice = IceCredentials("ourufrag", "ourpasswordourpasswordour")
    text = write_fragment(ice, ["0", "1"], "audio", [Candidate("192.0.2.7", 7882)])
    assert text == (
        "a=ice-lite\r\n"
        "a=group:BUNDLE 0 1\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n"
        "a=mid:0\r\n"
        "a=ice-ufrag:ourufrag\r\n"
        "a=ice-pwd:ourpasswordourpasswordour\r\n"
        "a=candidate:1 1 udp 2130706431 192.0.2.7 7882 typ host\r\n"
        "a=candidate:2 1 tcp 1526726655 192.0.2.7 7882 typ host tcptype passive\r\n"
        "a=end-of-candidates\r\n"
    )
    assert parse_fragment(text) == IceFragment(ice, 2, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "a=ice-ufrag:EsAw\r\n",
        "a=ice-ufrag:EsAw\r\na=ice-pwd:short\r\n",
        "a=candidate:1 1 udp\r\n",
        "a=candidate:1 1 udp x 192.0.2.1 1 typ host\r\n",
        "a=mid:0\r\n",
        "a=candidate:1 1 udp 1 192.0.2.1 1 typ host\r\n" * 300,
    ],
)
def test_bad_fragments_are_refused(text: str) -> None:
    with pytest.raises(SdpError):
        parse_fragment(text)


@given(st.text())
def test_any_text_is_a_fragment_or_refused(text: str) -> None:
    for candidate in (text, "a=candidate:" + text, "a=ice-ufrag:" + text):
        with contextlib.suppress(SdpError):
            parse_fragment(candidate)
