import { useCallback, useEffect, useState } from "react";

import { deleteAsset, getAsset, listAssets, uploadAsset } from "../../api/client";
import { explain } from "../../api/problem";

export interface Thumbnail {
  assetId: string;
  url: string;
}

export interface AssetsHook {
  images: Thumbnail[];
  busy: boolean;
  error: string | null;
  upload: (file: File) => Promise<void>;
  remove: (assetId: string) => Promise<void>;
}

/** The stream's uploaded images, newest first. They are the owner's alone, so each is fetched with the token. */
export function useAssets(streamId: string, token: string): AssetsHook {
  const [images, setImages] = useState<Thumbnail[]>([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  useEffect(() => {
    let over = false;
    const made: string[] = [];
    const load = async (): Promise<void> => {
      const found = await listAssets(token, streamId);
      const loaded = await Promise.all(
        found.map(async ({ asset_id: assetId }) => {
          const url = URL.createObjectURL(await getAsset(token, streamId, assetId));
          made.push(url);
          return { assetId, url };
        }),
      );
      if (!over) setImages(loaded);
    };
    load().catch((failure: unknown) => {
      if (!over) setError(explain(failure));
    });
    return () => {
      over = true;
      for (const url of made) URL.revokeObjectURL(url);
    };
  }, [streamId, token]);

  const attempt = useCallback(async (work: () => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await work();
      setError(null);
    } catch (failure) {
      setError(explain(failure));
    } finally {
      setBusy(false);
    }
  }, []);

  const upload = useCallback(
    (file: File) =>
      attempt(async () => {
        const { asset_id: assetId } = await uploadAsset(token, streamId, file);
        setImages((before) => [{ assetId, url: URL.createObjectURL(file) }, ...before]);
      }),
    [attempt, streamId, token],
  );

  const remove = useCallback(
    (assetId: string) =>
      attempt(async () => {
        await deleteAsset(token, streamId, assetId);
        setImages((before) => before.filter((each) => each.assetId !== assetId));
      }),
    [attempt, streamId, token],
  );

  return { images, busy, error, upload, remove };
}
