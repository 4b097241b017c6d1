//! Which of a peer's payload types takes what a source sends.

use crate::message::CodecSpec;
use crate::red;

/// The index of the accepted codec for a source's. H.264 wants its packetization mode, since mode 0
/// forbids fragments (RFC 6184 section 6.2); its profile is a preference, as decoders take all that they
/// offer and more. VP9 and AV1 want the profile (RFC 9628 section 7, AV1 RTP section 7.2).
pub fn match_codec(source: &CodecSpec, accepted: &[CodecSpec]) -> Option<usize> {
    let same_name =
        |c: &CodecSpec| c.name.eq_ignore_ascii_case(&source.name) && c.clock_rate == source.clock_rate;
    let score = |c: &CodecSpec| -> Option<u32> {
        if !same_name(c) {
            return None;
        }
        if source.name.eq_ignore_ascii_case("H264") {
            let mode = |c: &CodecSpec| parameter(&c.fmtp, "packetization-mode").unwrap_or("0") == "1";
            let profile = |c: &CodecSpec| {
                parameter(&c.fmtp, "profile-level-id").and_then(|p| p.get(..2)).map(str::to_ascii_lowercase)
            };
            let modes = match (mode(source), mode(c)) {
                (a, b) if a == b => 4,
                (false, true) => 2,
                _ => 0,
            };
            return Some(modes + u32::from(profile(source) == profile(c)));
        }
        let key = match source.name.to_ascii_uppercase().as_str() {
            "VP9" => "profile-id",
            "AV1" => "profile",
            _ => return Some(0),
        };
        let profile = |c: &CodecSpec| parameter(&c.fmtp, key).unwrap_or("0").to_owned();
        (profile(source) == profile(c)).then_some(0)
    };
    let (_, at) = accepted
        .iter()
        .enumerate()
        .filter_map(|(at, c)| Some((score(c)?, at)))
        .max_by_key(|&(score, at)| (score, std::cmp::Reverse(at)))?;
    Some(at)
}

/// The index of the accepted codec that takes the primary block of a RED source (RFC 2198): Opus, which is
/// all that browsers put into it.
pub fn match_primary(source: &CodecSpec, accepted: &[CodecSpec]) -> Option<usize> {
    let opus = |c: &CodecSpec| c.name.eq_ignore_ascii_case("opus") && c.clock_rate == source.clock_rate;
    red::wraps(source).then(|| accepted.iter().position(opus)).flatten()
}

fn parameter<'a>(fmtp: &'a str, key: &str) -> Option<&'a str> {
    fmtp.split(';').find_map(|pair| {
        let (k, v) = pair.trim().split_once('=')?;
        k.eq_ignore_ascii_case(key).then_some(v)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::codec;

    fn with(name: &str, payload_type: u8, fmtp: &str) -> CodecSpec {
        CodecSpec { fmtp: fmtp.into(), ..codec(name, payload_type) }
    }

    #[test]
    fn h264_prefers_its_mode_then_its_profile() {
        let accepted = [
            with("VP8", 96, ""),
            with("H264", 100, "packetization-mode=0;profile-level-id=42e01f"),
            with("H264", 102, "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42001f"),
            with("H264", 104, "packetization-mode=1;profile-level-id=640c1f"),
        ];
        let of = |fmtp: &str| match_codec(&with("h264", 1, fmtp), &accepted);
        assert_eq!(of("packetization-mode=1;profile-level-id=64001f"), Some(3));
        assert_eq!(of("packetization-mode=1;profile-level-id=42e01f"), Some(2));
        assert_eq!(of("profile-level-id=42e01f"), Some(1));
        assert_eq!(of("packetization-mode=1;profile-level-id=4d001f"), Some(2));
    }

    #[test]
    fn vp9_profiles_do_not_mix_and_opus_matches_by_name() {
        let accepted = [with("VP9", 98, "profile-id=0"), with("opus", 111, "minptime=10;useinbandfec=1")];
        assert_eq!(match_codec(&with("VP9", 1, ""), &accepted), Some(0));
        assert_eq!(match_codec(&with("VP9", 1, "profile-id=2"), &accepted), None);
        assert_eq!(match_codec(&CodecSpec { name: "OPUS".into(), ..codec("opus", 1) }, &accepted), Some(1));
        assert_eq!(match_codec(&with("AV1", 1, ""), &accepted), None);
        let red = CodecSpec { clock_rate: 48_000, ..with("red", 63, "111/111") };
        let opus = [with("VP8", 96, ""), CodecSpec { clock_rate: 48_000, ..with("opus", 111, "") }];
        assert_eq!((match_codec(&red, &opus), match_primary(&red, &opus)), (None, Some(1)));
        assert_eq!(match_primary(&opus[1], &opus), None);
    }
}
