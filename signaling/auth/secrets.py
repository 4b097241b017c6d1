"""Random identifiers and secrets, and how secrets are stored.

Tokens and keys carry 160 random bits, so a plain hash of them can't be searched: SHA-256, no salt. (What
people choose themselves, passwords, goes through argon2.)
"""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["ACCOUNT_TOKEN", "INVITE", "REENTRY", "STREAM_KEY", "hash_secret", "new_id", "new_secret"]

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, lower case: five bits a letter, none that is taken for another, no dash at an edge."""

ACCOUNT_TOKEN = "sat_"
STREAM_KEY = "sk_"
INVITE = "si_"
REENTRY = "sr_"
"""Prefixes, so that people and secret scanners can tell what leaked. They say where a secret is looked up,
never whether it is right."""


def new_id() -> str:
    """An opaque identifier: 80 bits, 16 letters. Two of 10^9 collide once in a million tries."""
    return _letters(16)


def new_secret(prefix: str) -> str:
    """A token or key: 160 bits behind its prefix."""
    return prefix + _letters(32)


def hash_secret(secret: str) -> str:
    """What is stored of a token or key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _letters(count: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(count))
