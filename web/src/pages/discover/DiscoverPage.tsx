import { useEffect, useState } from "react";

import { Link } from "../../app/router";
import { ErrorNote } from "../../ui/ErrorNote";
import { Icon } from "../../ui/icons";
import { StreamCard } from "./StreamCard";
import { matches, useDiscover } from "./useDiscover";

export function DiscoverPage() {
  const [category, setCategory] = useState<string | null>(null);
  return <Discover key={category ?? ""} category={category} onCategory={setCategory} />;
}

/** Categories seen in any list of this visit: the filter must not lose them when it is applied. */
const seenCategories = new Set<string>();

function Discover({ category, onCategory }: { category: string | null; onCategory: (c: string | null) => void }) {
  const [query, setQuery] = useState("");
  const { streams, error, more, loading, loadMore, retry } = useDiscover(category);
  for (const stream of streams ?? []) if (stream.category !== "") seenCategories.add(stream.category);
  const shown = (streams ?? []).filter((stream) => matches(stream, query));
  const empty = streams !== null && streams.length === 0 && error === null;

  useEffect(() => {
    document.title = "Spillway";
  }, []);

  return (
    <section className="page">
      <div className="discover-head">
        <h1>Live now</h1>
        {streams !== null && streams.length > 0 && (
          <label className="search">
            <Icon name="search" />
            <span className="visually-hidden">Search live streams</span>
            <input type="search" placeholder="Search" value={query} onChange={(event) => setQuery(event.target.value)} />
          </label>
        )}
      </div>
      {seenCategories.size > 0 && (
        <div className="chips" role="group" aria-label="Category">
          <Chip label="All" active={category === null} onClick={() => onCategory(null)} />
          {[...seenCategories].sort().map((name) => (
            <Chip key={name} label={name} active={category === name} onClick={() => onCategory(name)} />
          ))}
        </div>
      )}
      {error !== null && <ErrorNote text={error} onRetry={retry} />}
      {empty && <Empty category={category} />}
      {streams === null && loading && <Skeletons />}
      {!empty && streams !== null && shown.length === 0 && query !== "" && (
        <p className="hint">Nothing on this list matches “{query}”.</p>
      )}
      <ul className="cards">
        {shown.map((stream) => (
          <li key={stream.stream_id}>
            <StreamCard stream={stream} />
          </li>
        ))}
      </ul>
      {more && (
        <div className="more">
          <button type="button" className="button" disabled={loading} onClick={loadMore}>
            {loading ? "Loading…" : "Show more"}
          </button>
        </div>
      )}
    </section>
  );
}

function Chip({ label, active, onClick }: { label: string; active: boolean; onClick: () => void }) {
  return (
    <button type="button" className="chip" aria-pressed={active} onClick={onClick}>
      {label}
    </button>
  );
}

function Skeletons() {
  return (
    <ul className="cards" aria-hidden="true">
      {[0, 1, 2, 3, 4, 5].map((n) => (
        <li key={n} className="card skeleton">
          <div className="card-picture" />
          <div className="bone" />
          <div className="bone short" />
        </li>
      ))}
    </ul>
  );
}

function Empty({ category }: { category: string | null }) {
  return (
    <div className="empty" data-testid="empty">
      <svg className="empty-art" viewBox="0 0 240 96" fill="none" strokeWidth="10" strokeLinecap="round" aria-hidden="true">
        <path d="M8 24h70c46 0 40 52 86 52h68" className="mark-near" />
        <path d="M8 46h48c34 0 32 30 62 30" className="mark-far" />
      </svg>
      <h2>{category === null ? "The water is still" : `Nobody is live in ${category}`}</h2>
      <p>
        No stream is live at the moment. Be the first: open the studio, pick your camera or screen and press “Go live”. Or
        point OBS at this server; the studio shows what to paste.
      </p>
      <Link href="/studio" className="button primary">
        <Icon name="live" />
        Go live
      </Link>
    </div>
  );
}
