import { hueOf } from "./format";

/** The picture of a stream: its thumbnail, or waves in a colour of its own. */
export function Poster({ streamId, thumbnailUrl }: { streamId: string; thumbnailUrl: string | null }) {
  if (thumbnailUrl !== null) return <img className="poster" src={thumbnailUrl} alt="" loading="lazy" />;
  const hue = hueOf(streamId);
  const id = `g-${hue}`;
  return (
    <svg className="poster" viewBox="0 0 320 180" preserveAspectRatio="xMidYMid slice" aria-hidden="true">
      <defs>
        <linearGradient id={id} x1="0" y1="0" x2="1" y2="1">
          <stop offset="0" stopColor={`hsl(${hue} 48% 34%)`} />
          <stop offset="1" stopColor={`hsl(${(hue + 50) % 360} 56% 16%)`} />
        </linearGradient>
      </defs>
      <rect width="320" height="180" fill={`url(#${id})`} />
      {[0, 1, 2, 3].map((row) => (
        <path
          key={row}
          d={`M-20 ${60 + row * 26}h${50 + (hue % 9) * 14 + row * 26}c60 0 50 ${70 - row * 8} 110 ${70 - row * 8}h320`}
          fill="none"
          stroke={`hsl(${(hue + 20) % 360} 70% 78%)`}
          strokeOpacity={0.34 - row * 0.07}
          strokeWidth="9"
          strokeLinecap="round"
        />
      ))}
    </svg>
  );
}
