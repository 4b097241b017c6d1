/** ICE servers out of `Link: <stun:...>; rel="ice-server"` headers (RFC 9725 section 4.6, RFC 8288). */

/** Split at commas that stand outside of quotes and angle brackets. */
function splitValues(header: string): string[] {
  const values: string[] = [];
  let quoted = false;
  let bracketed = false;
  let start = 0;
  for (let i = 0; i < header.length; i += 1) {
    const char = header[i];
    if (char === '"' && header[i - 1] !== "\\") quoted = !quoted;
    else if (!quoted && char === "<") bracketed = true;
    else if (!quoted && char === ">") bracketed = false;
    else if (!quoted && !bracketed && char === ",") {
      values.push(header.slice(start, i));
      start = i + 1;
    }
  }
  values.push(header.slice(start));
  return values;
}

const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;]+))/g;

export function parseIceServers(header: string | null): RTCIceServer[] {
  if (header === null) return [];
  return splitValues(header).flatMap((value) => {
    const target = /^\s*<([^>]*)>/.exec(value);
    if (!target?.[1]) return [];
    const parameters = new Map<string, string>();
    for (const [, name, quoted, bare] of value.slice(target[0].length).matchAll(PARAMETER)) {
      if (name) parameters.set(name.toLowerCase(), (quoted ?? bare ?? "").replace(/\\(.)/g, "$1"));
    }
    if (!parameters.get("rel")?.split(/\s+/).includes("ice-server")) return [];
    const username = parameters.get("username");
    const credential = parameters.get("credential");
    return [
      {
        urls: target[1],
        ...(username === undefined ? {} : { username }),
        ...(credential === undefined ? {} : { credential }),
      },
    ];
  });
}
