"""What a forwarded packet costs here and in another SFU: the same stream, the same receivers, one run.

``python -m tests.bench.peers --livekit PATH --viewers 50``. Fetches nothing: the binaries are yours.
"""
