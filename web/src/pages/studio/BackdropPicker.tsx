import type { StageLayout } from "../../api/types";
import { backgroundColour, toggleImage, type ImageUse } from "../../stage/images";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { useAssets } from "./useAssets";

interface Props {
  streamId: string;
  token: string;
  layout: StageLayout;
  onChange: (make: (layout: StageLayout) => StageLayout) => void;
}

const USES: [ImageUse, string][] = [
  ["background", "Background"],
  ["logo", "Logo"],
];

/** What stands behind the hosts, and the logo before them: a colour, or images of the owner's. */
export function BackdropPicker({ streamId, token, layout, onChange }: Props) {
  const { images, busy, error, upload, remove } = useAssets(streamId, token);
  return (
    <div className="backdrop">
      <div className="backdrop-row">
        <label className="field">
          <span className="label">Background</span>
          <input
            type="color"
            data-testid="background-colour"
            value={backgroundColour(layout) ?? "#10141c"}
            onChange={({ target }) => onChange((last) => ({ ...last, background: target.value }))}
          />
        </label>
        <label className="button" aria-disabled={busy}>
          {busy ? "Uploading…" : "Upload an image"}
          <input
            type="file"
            className="visually-hidden"
            data-testid="asset-upload"
            accept="image/png,image/jpeg,image/webp"
            disabled={busy}
            onChange={({ target }) => {
              const file = target.files?.[0];
              // The same file may be chosen again after a refusal.
              target.value = "";
              if (file !== undefined) void upload(file);
            }}
          />
        </label>
      </div>
      {images.length > 0 && (
        <ul className="asset-list">
          {images.map(({ assetId, url }) => (
            <li key={assetId} data-testid="asset">
              <img src={url} alt="" />
              {USES.map(([use, name]) => (
                <button
                  key={use}
                  type="button"
                  className="button quiet"
                  data-testid={`asset-${use}`}
                  aria-pressed={layout[use] === assetId}
                  onClick={() => onChange((last) => toggleImage(last, use, assetId))}
                >
                  {name}
                </button>
              ))}
              <button
                type="button"
                className="icon-button"
                aria-label="Delete the image"
                data-testid="asset-delete"
                disabled={busy || layout.background === assetId || layout.logo === assetId}
                onClick={() => void remove(assetId)}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      {error !== null && <ErrorNote text={error} />}
    </div>
  );
}
