"""WHIP and WHEP conformance: one named check per requirement, against any server.

``python -m tests.conformance --whip URL --whip-token TOKEN --whep URL``. Needs aiohttp and aiortc (which
brings the STUN, DTLS and SRTP libraries), and nothing of this project.
"""
