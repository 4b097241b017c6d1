/** The few edits of SDP that WHIP and WHEP need. Everything else is left as the browser wrote it. */

const lines = (sdp: string): string[] => sdp.split(/\r\n|\n/).filter((line) => line !== "");
const join = (parts: string[]): string => parts.map((line) => `${line}\r\n`).join("");

/**
 * Ask for stereo in every Opus format of an offer (RFC 7587 section 7: receivers get mono unless they say otherwise).
 */
export function withStereoOpus(sdp: string): string {
  const all = lines(sdp);
  const opus = new Set(all.flatMap((line) => /^a=rtpmap:(\d+) opus\/48000/i.exec(line)?.[1] ?? []));
  return join(
    all.map((line) => {
      const payloadType = /^a=fmtp:(\d+) /.exec(line)?.[1];
      const wanted = payloadType !== undefined && opus.has(payloadType) && !/[ ;]stereo=/.test(line);
      return wanted ? `${line};stereo=1` : line;
    }),
  );
}

/**
 * The SDP fragment of an ICE restart (RFC 9725 section 4.3.3, RFC 8840): the offerer-tagged m-line of the bundle with
 * the new credentials. It carries no candidates: the server is ICE-lite and learns ours from our checks.
 */
export function iceFragment(offer: string): string {
  const all = lines(offer);
  const media = all.findIndex((line) => line.startsWith("m="));
  const next = all.findIndex((line, i) => i > media && line.startsWith("m="));
  const section = all.slice(media, next === -1 ? undefined : next);
  const first = (prefix: string): string[] => {
    const found = section.find((line) => line.startsWith(prefix)) ?? all.find((line) => line.startsWith(prefix));
    return found === undefined ? [] : [found];
  };
  return join([
    ...first("a=ice-options:"),
    ...first("a=group:BUNDLE"),
    ...section.slice(0, 1),
    ...first("a=mid:"),
    ...first("a=ice-ufrag:"),
    ...first("a=ice-pwd:"),
  ]);
}

/**
 * The earlier answer with the credentials and candidates of the server's fragment in place of the old ones. A
 * fragment without candidates keeps the old: the server's addresses are what they were.
 *
 * Throws SyntaxError when the fragment has no credentials.
 */
export function applyIceFragment(answer: string, fragment: string): string {
  const parts = lines(fragment);
  const ufrag = parts.find((line) => line.startsWith("a=ice-ufrag:"));
  const pwd = parts.find((line) => line.startsWith("a=ice-pwd:"));
  if (ufrag === undefined || pwd === undefined) throw new SyntaxError("ICE fragment without credentials");
  const candidates = parts.filter((line) => line.startsWith("a=candidate:"));
  let placed = false;
  return join(
    lines(answer).flatMap((line) => {
      if (line.startsWith("a=ice-ufrag:")) return [ufrag];
      if (line.startsWith("a=ice-pwd:")) return [pwd];
      if (line.startsWith("a=candidate:") && candidates.length > 0) {
        if (placed) return [];
        placed = true;
        return candidates;
      }
      return [line];
    }),
  );
}
