/** Paths of the pages. Pure. */

export type Route =
  | { page: "discover" }
  | { page: "watch"; streamId: string }
  | { page: "studio"; streamId: string | null }
  | { page: "dashboard" }
  | { page: "unknown" };

export function matchRoute(pathname: string): Route {
  const [first, second, ...rest] = pathname.split("/").filter((part) => part !== "");
  if (rest.length > 0) return { page: "unknown" };
  if (first === undefined) return { page: "discover" };
  const id = decode(second);
  if (first === "watch" && id !== null) return { page: "watch", streamId: id };
  if (first === "studio") return { page: "studio", streamId: id };
  if (first === "dashboard" && second === undefined) return { page: "dashboard" };
  return { page: "unknown" };
}

function decode(part: string | undefined): string | null {
  if (part === undefined) return null;
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

export const watchPath = (streamId: string): string => `/watch/${encodeURIComponent(streamId)}`;
export const studioPath = (streamId: string): string => `/studio/${encodeURIComponent(streamId)}`;

/**
 * Read `#playback_token=` out of a watch URL; the second value is the URL without it, fit for the address bar. It stands
 * behind the `#` so that it never reaches a server's log.
 */
export function takeToken(href: string): { token: string | null; href: string } {
  const url = new URL(href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const token = fragment.get("playback_token");
  if (token === null) return { token: null, href };
  fragment.delete("playback_token");
  url.hash = fragment.toString();
  return { token, href: url.href };
}
