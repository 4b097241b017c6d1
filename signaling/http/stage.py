"""The stage: invites, the layout, and what the owner does with hosts."""

from __future__ import annotations

from signaling.auth.identity import Identity
from signaling.auth.secrets import hash_secret
from signaling.clock import Clock
from signaling.http.of_stream import OWNERS, STREAM, VISITORS
from signaling.http.operation import Call, operation
from signaling.http.passes import Passes
from signaling.invitations import new_invite
from signaling.links import Links, Listeners
from signaling.models import HostChange, InviteCreated, Layout, NewInvite, StageParticipant, StageView
from signaling.rate_limits import RateLimits
from signaling.stage import Stages
from signaling.store.interfaces import Invites
from signaling.store.records import Account

__all__ = ["StageRoutes"]


class StageRoutes:
    def __init__(
        self,
        *,
        stages: Stages,
        invites: Invites,
        identity: Identity,
        passes: Passes,
        listeners: Listeners,
        limits: RateLimits,
        clock: Clock,
    ) -> None:
        self._stages = stages
        self._directions = stages.directions
        self._invites = invites
        self._identity = identity
        self._passes = passes
        self._listeners = listeners
        self._limits = limits
        self._clock = clock

    @operation(
        "POST",
        STREAM + "/invites",
        "Let one co-host on stage",
        tag="stage",
        status=201,
        problems=(*OWNERS, "rate-limited"),
    )
    async def create_invite(
        self, call: Call, stream_id: str, account: Account, body: NewInvite
    ) -> InviteCreated:
        await self._identity.owned(stream_id, account)
        self._limits.create(account.account_id)
        secret, invite = new_invite(stream_id, body.name, self._clock, body.ttl_s)
        await self._invites.create(hash_secret(secret), invite, self._clock.now())
        links = Links(call.base_url, self._listeners)
        return InviteCreated(
            invite=secret,
            expires_at=invite.expires_at,
            studio_url=links.studio(stream_id, secret),
            whip_url=links.whip_as_guest(secret),
        )

    @operation(
        "DELETE",
        STREAM + "/invites/{invite}",
        "Revoke an invite; who has entered with it leaves",
        tag="stage",
        problems=(*OWNERS, "invite-not-found"),
    )
    async def revoke_invite(self, stream_id: str, invite: str, account: Account) -> None:
        await self._identity.owned(stream_id, account)
        await self._stages.revoke(stream_id, invite)

    @operation(
        "PUT",
        STREAM + "/layout",
        "How the program shows the hosts",
        tag="stage",
        problems=(*OWNERS, "bad-layout"),
    )
    async def set_layout(self, stream_id: str, account: Account, body: Layout) -> Layout:
        await self._identity.owned(stream_id, account)
        await self._directions.set_layout(stream_id, body)
        return body

    @operation(
        "GET",
        STREAM + "/stage",
        "Who is on stage",
        tag="stage",
        public=True,
        problems=VISITORS,
    )
    async def get_stage(self, call: Call, stream_id: str, account: Account | None) -> StageView:
        await self._identity.watched(stream_id, await self._passes.visitor(call, account))
        await self._directions.recall(stream_id)
        return self._directions.view(stream_id)

    @operation(
        "PATCH",
        STREAM + "/stage/{participant_id}",
        "Mute a host, or set how loud they are",
        tag="stage",
        problems=(*OWNERS, "host-not-found"),
    )
    async def change_host(
        self, stream_id: str, participant_id: str, account: Account, body: HostChange
    ) -> StageParticipant:
        await self._identity.owned(stream_id, account)
        audio = body.audio
        return await self._directions.control(
            stream_id,
            participant_id,
            audio_muted=body.muted if audio is None or audio.muted is None else audio.muted,
            video_muted=body.video.muted if body.video is not None else None,
            gain_db=body.gain_db if audio is None or audio.gain_db is None else audio.gain_db,
        )

    @operation(
        "DELETE",
        STREAM + "/stage/{participant_id}",
        "Take a host off the stage",
        tag="stage",
        problems=(*OWNERS, "host-not-found"),
    )
    async def remove_host(self, stream_id: str, participant_id: str, account: Account) -> None:
        await self._identity.owned(stream_id, account)
        await self._stages.remove(stream_id, participant_id)
