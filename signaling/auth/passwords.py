"""Password hashing with argon2id, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

__all__ = ["Overloaded", "Passwords"]

T = TypeVar("T")

WORKERS = 1
"""argon2 lets go of the GIL, so every worker takes a core from the packets: one is 40 sign-ins a second."""
WAITING = 64
"""More than a second and a half of work in the queue: who comes later is told to come back."""


class Overloaded(RuntimeError):
    """More passwords to check than this node can."""


class Passwords:
    """Hashes and checks passwords in threads of its own, a bounded number at a time."""

    def __init__(self) -> None:
        # OWASP's choice for argon2id (Password Storage Cheat Sheet): 19 MiB, 2 passes, 1 lane; about 25 ms.
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._threads = ThreadPoolExecutor(WORKERS, "argon2")
        self._waiting = 0
        self._decoy = self._hasher.hash("nobody's password")

    async def hash(self, password: str) -> str:
        """Raises Overloaded."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether it is the right one. None, for an unknown account, takes as long as any other.

        Raises Overloaded."""
        right = await self._run(self._check, password_hash or self._decoy, password)
        return right and password_hash is not None

    def is_weak(self, password_hash: str) -> bool:
        """Made with older parameters: to be replaced at the next sign-in."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _check(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, work: Callable[..., T], *args: str) -> T:
        if self._waiting >= WAITING:
            raise Overloaded("too many passwords to check at once")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *args)
        finally:
            self._waiting -= 1
