"""Images that the owner of a stream uploads: backgrounds and logos for its layouts."""

from __future__ import annotations

from dataclasses import asdict

from signaling.auth.identity import Identity
from signaling.auth.secrets import new_id
from signaling.clock import Clock
from signaling.direction import Directions
from signaling.http.of_stream import OWNERS, STREAM
from signaling.http.operation import Call, File, Upload, operation
from signaling.images import KEPT_TYPE, MAX_BYTES, TYPES, Images
from signaling.models import AssetList, AssetView
from signaling.problems import problem
from signaling.rate_limits import RateLimits
from signaling.store.interfaces import Assets
from signaling.store.records import Account, Asset

__all__ = ["MOST", "AssetRoutes"]

ASSETS = STREAM + "/assets"
MOST = 32
"""Images of a stream, 2 MB each."""
UPLOAD_S = 60.0
"""8 MB at 1.1 Mb/s."""


class AssetRoutes:
    def __init__(
        self, *, assets: Assets, directions: Directions, identity: Identity, limits: RateLimits, clock: Clock
    ) -> None:
        self._assets = assets
        self._directions = directions
        self._identity = identity
        self._limits = limits
        self._clock = clock
        self._images = Images()

    @operation(
        "POST",
        ASSETS,
        "Upload an image for the stream's layouts",
        tag="stage",
        status=201,
        problems=(*OWNERS, "not-an-image", "image-too-large", "too-many-assets", "rate-limited"),
        upload=Upload(TYPES, MAX_BYTES, UPLOAD_S),
    )
    async def create_asset(self, call: Call, stream_id: str, account: Account, body: bytes) -> AssetView:
        await self._identity.owned(stream_id, account)
        self._limits.create(account.account_id)
        kept = await self._images.kept(body)
        now = self._clock.now().replace(microsecond=0)
        asset = Asset(stream_id, new_id(), kept.width, kept.height, len(kept.data), now)
        if not await self._assets.add(asset, kept.data, MOST):
            raise problem("too-many-assets", f"{MOST} images are kept.", limit=MOST)
        call.headers["Location"] = f"{ASSETS.format(stream_id=stream_id)}/{asset.asset_id}"
        return _view(asset)

    @operation("GET", ASSETS, "The stream's images, newest first", tag="stage", problems=OWNERS)
    async def list_assets(self, stream_id: str, account: Account) -> AssetList:
        await self._identity.owned(stream_id, account)
        return AssetList(assets=[_view(each) for each in await self._assets.of(stream_id)])

    @operation(
        "GET",
        ASSETS + "/{asset_id}",
        "One of the stream's images",
        tag="stage",
        problems=(*OWNERS, "asset-not-found"),
        file_type=KEPT_TYPE,
    )
    async def get_asset(self, stream_id: str, asset_id: str, account: Account) -> File:
        await self._identity.owned(stream_id, account)
        data = await self._assets.data(stream_id, asset_id)
        if data is None:
            raise problem("asset-not-found", "The stream has no image of this id.")
        return File(data, KEPT_TYPE)

    @operation(
        "DELETE",
        ASSETS + "/{asset_id}",
        "Delete an image that the layout does not show",
        tag="stage",
        problems=(*OWNERS, "asset-not-found", "asset-in-use"),
    )
    async def delete_asset(self, stream_id: str, asset_id: str, account: Account) -> None:
        await self._identity.owned(stream_id, account)
        if asset_id in await self._directions.assets_shown(stream_id):
            raise problem("asset-in-use", "The layout shows this image.")
        if not await self._assets.delete(stream_id, asset_id):
            raise problem("asset-not-found", "The stream has no image of this id.")


def _view(asset: Asset) -> AssetView:
    values = asdict(asset)
    del values["stream_id"]
    return AssetView(**values)
