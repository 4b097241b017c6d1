"""SDP fragments of trickle ICE and ICE restart (RFC 8840 section 9, as RFC 9725 section 4.3 uses them)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiortc.sdp import candidate_from_sdp

from sfu.sdp.answer import Candidate, candidate_lines
from sfu.sdp.offer import IceCredentials, SdpError

__all__ = ["IceFragment", "parse_fragment", "write_fragment"]

MAX_CANDIDATES = 256


@dataclass(frozen=True, slots=True)
class IceFragment:
    """What the peer tells of its ICE agent. An ICE-lite agent needs none of its candidates."""

    ice: IceCredentials | None
    candidates: int
    end_of_candidates: bool


def parse_fragment(text: str) -> IceFragment:
    """Read an ``application/trickle-ice-sdpfrag`` body; raises SdpError."""
    ufrag = pwd = None
    candidates = 0
    end = False
    lines = text.splitlines()
    for line in lines:
        if not line.strip():
            continue
        if len(line) < 2 or line[1] != "=":
            raise SdpError("not a line of SDP")
        name, _, value = line[2:].strip().partition(":")
        if line.startswith("a="):
            if name == "ice-ufrag":
                ufrag = value
            elif name == "ice-pwd":
                pwd = value
            elif name == "candidate":
                _check_candidate(value)
                candidates += 1
            elif name == "end-of-candidates":
                end = True
    if candidates > MAX_CANDIDATES:
        raise SdpError(f"more than {MAX_CANDIDATES} candidates")
    if (ufrag is None) != (pwd is None):
        raise SdpError("ice-ufrag and ice-pwd belong together")
    ice = None
    if ufrag is not None and pwd is not None:
        ice = IceCredentials(ufrag, pwd)
        ice.check()
    if ice is None and not candidates and not end:
        raise SdpError("the fragment says nothing")
    return IceFragment(ice, candidates, end)


def write_fragment(
    ice: IceCredentials, mids: Sequence[str], kind: str, candidates: Sequence[Candidate]
) -> str:
    """Our answer to an ICE restart: new credentials, the same candidates. ``kind`` is that of the
    first bundled m-line."""
    lines = [
        "a=ice-lite",
        f"a=group:BUNDLE {' '.join(mids)}",
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 0",
        f"a=mid:{mids[0]}",
        f"a=ice-ufrag:{ice.ufrag}",
        f"a=ice-pwd:{ice.pwd}",
        *candidate_lines(candidates),
    ]
    return "\r\n".join(lines) + "\r\n"


def _check_candidate(value: str) -> None:
    try:
        candidate_from_sdp(value)
    except (ValueError, AssertionError, IndexError) as error:
        raise SdpError("malformed candidate") from error
