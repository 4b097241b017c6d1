import { describe, expect, it } from "vitest";

import { parseIceServers } from "../src/rtc/link";
import { applyIceFragment, iceFragment, withStereoOpus } from "../src/rtc/sdp";

const crlf = (text: string): string => text.trim().split("\n").map((line) => `${line.trim()}\r\n`).join("");

const OFFER = crlf(`
  v=0
  o=- 1 2 IN IP4 127.0.0.1
  s=-
  t=0 0
  a=group:BUNDLE 0 1
  m=audio 9 UDP/TLS/RTP/SAVPF 111 63
  a=ice-ufrag:aaaa
  a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb
  a=ice-options:trickle
  a=mid:0
  a=rtpmap:111 opus/48000/2
  a=fmtp:111 minptime=10;useinbandfec=1
  a=rtpmap:63 red/48000/2
  a=fmtp:63 111/111
  m=video 9 UDP/TLS/RTP/SAVPF 96
  a=ice-ufrag:aaaa
  a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb
  a=mid:1
  a=rtpmap:96 VP8/90000
`);

const ANSWER = crlf(`
  v=0
  a=ice-lite
  m=audio 9 UDP/TLS/RTP/SAVPF 111
  a=mid:0
  a=ice-ufrag:old1
  a=ice-pwd:oldoldoldoldoldoldoldold
  a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host
  a=end-of-candidates
  m=video 9 UDP/TLS/RTP/SAVPF 96
  a=mid:1
  a=ice-ufrag:old1
  a=ice-pwd:oldoldoldoldoldoldoldold
`);

describe("withStereoOpus", () => {
  it("adds stereo to Opus alone", () => {
    expect(withStereoOpus(OFFER)).toBe(OFFER.replace("useinbandfec=1", "useinbandfec=1;stereo=1"));
  });

  it("leaves what already says so", () => {
    expect(withStereoOpus(withStereoOpus(OFFER))).toBe(withStereoOpus(OFFER));
  });
});

describe("iceFragment", () => {
  it("holds the bundle's tagged m-line and the new credentials", () => {
    expect(iceFragment(OFFER)).toBe(
      crlf(`
        a=ice-options:trickle
        a=group:BUNDLE 0 1
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63
        a=mid:0
        a=ice-ufrag:aaaa
        a=ice-pwd:bbbbbbbbbbbbbbbbbbbbbbbb
      `),
    );
  });
});

describe("applyIceFragment", () => {
  it("puts credentials everywhere and candidates where the old ones stood", () => {
    const fragment = crlf(`
      a=ice-lite
      m=audio 9 UDP/TLS/RTP/SAVPF 111
      a=mid:0
      a=ice-ufrag:new1
      a=ice-pwd:newnewnewnewnewnewnewnew
      a=candidate:1 1 udp 2130706431 192.0.2.9 7883 typ host
      a=candidate:2 1 udp 2130706175 198.51.100.9 7883 typ host
    `);
    expect(applyIceFragment(ANSWER, fragment)).toBe(
      crlf(`
        v=0
        a=ice-lite
        m=audio 9 UDP/TLS/RTP/SAVPF 111
        a=mid:0
        a=ice-ufrag:new1
        a=ice-pwd:newnewnewnewnewnewnewnew
        a=candidate:1 1 udp 2130706431 192.0.2.9 7883 typ host
        a=candidate:2 1 udp 2130706175 198.51.100.9 7883 typ host
        a=end-of-candidates
        m=video 9 UDP/TLS/RTP/SAVPF 96
        a=mid:1
        a=ice-ufrag:new1
        a=ice-pwd:newnewnewnewnewnewnewnew
      `),
    );
  });

  it("keeps the old candidates when the fragment has none", () => {
    const applied = applyIceFragment(ANSWER, "a=ice-ufrag:n\r\na=ice-pwd:p\r\n");
    expect(applied).toContain("a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host\r\n");
  });

  it("refuses a fragment without credentials", () => {
    expect(() => applyIceFragment(ANSWER, "a=mid:0\r\n")).toThrow(SyntaxError);
  });
});

describe("parseIceServers", () => {
  it("reads RFC 9725's own example, joined as fetch joins headers", () => {
    const header =
      '<stun:stun.example.net>; rel="ice-server", ' +
      '<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; ' +
      'credential="myPassword"; credential-type="password"';
    expect(parseIceServers(header)).toEqual([
      { urls: "stun:stun.example.net" },
      { urls: "turn:turn.example.net?transport=udp", username: "user", credential: "myPassword" },
    ]);
  });

  it("keeps commas, semicolons and escaped quotes inside quoted values", () => {
    expect(parseIceServers('<turn:t>; rel="ice-server"; username="a,b;c"; credential="d\\"e"')).toEqual([
      { urls: "turn:t", username: "a,b;c", credential: 'd"e' },
    ]);
  });

  it("takes unquoted relations and ignores other ones", () => {
    expect(parseIceServers("<stun:a>;rel=ice-server, </next>; rel=next, nonsense")).toEqual([{ urls: "stun:a" }]);
    expect(parseIceServers(null)).toEqual([]);
  });
});
