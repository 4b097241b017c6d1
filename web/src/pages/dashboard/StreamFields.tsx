import type { Visibility } from "../../api/types";

export interface StreamFieldsValue {
  title: string;
  category: string;
  visibility: Visibility;
}

const VISIBILITIES: readonly (readonly [Visibility, string])[] = [
  ["public", "Public: shown on Discover"],
  ["unlisted", "Unlisted: whoever has the link"],
  ["private", "Private: only with a playback token"],
];

/** Title, category and visibility: the same when a stream is created and when it is changed. */
export function StreamFields({
  value,
  onChange,
}: {
  value: StreamFieldsValue;
  onChange: (value: StreamFieldsValue) => void;
}) {
  return (
    <>
      <label className="field">
        <span className="label">Title</span>
        <input
          data-testid="stream-title"
          required
          maxLength={140}
          placeholder="What are you showing?"
          value={value.title}
          onChange={(event) => onChange({ ...value, title: event.target.value })}
        />
      </label>
      <label className="field">
        <span className="label">Category</span>
        <input
          data-testid="stream-category"
          maxLength={60}
          placeholder="music, games, talks …"
          autoCapitalize="none"
          value={value.category}
          onChange={(event) => onChange({ ...value, category: event.target.value })}
        />
      </label>
      <label className="field">
        <span className="label">Who can watch</span>
        <select
          data-testid="stream-visibility"
          value={value.visibility}
          onChange={(event) => onChange({ ...value, visibility: event.target.value as Visibility })}
        >
          {VISIBILITIES.map(([id, label]) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
      </label>
    </>
  );
}
