//! What the forwarding needs to know of a payload: where keyframes begin, how large the picture is.

pub mod av1;
mod bits;
pub mod h264;
#[cfg(test)]
mod tests;
pub mod vp8;
pub mod vp9;

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodecError {
    /// The payload ends within its descriptor or header.
    TooShort,
    /// A field holds a value that the format forbids.
    Invalid,
}

impl fmt::Display for CodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            CodecError::TooShort => "payload ends within its header",
            CodecError::Invalid => "payload header holds a forbidden value",
        })
    }
}

impl std::error::Error for CodecError {}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecName {
    H264,
    H265,
    Vp8,
    Vp9,
    Av1,
    Opus,
    Red,
    Other,
}

impl CodecName {
    /// By the encoding name of an rtpmap line; case does not matter (RFC 8866 section 6.6).
    pub fn from_sdp(name: &str) -> CodecName {
        const NAMES: [(&str, CodecName); 7] = [
            ("H264", CodecName::H264),
            ("H265", CodecName::H265),
            ("VP8", CodecName::Vp8),
            ("VP9", CodecName::Vp9),
            ("AV1", CodecName::Av1),
            ("opus", CodecName::Opus),
            ("red", CodecName::Red),
        ];
        NAMES.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or(CodecName::Other, |&(_, c)| c)
    }
}

/// What one RTP payload tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameInfo {
    /// A keyframe begins in this payload. H.264: an SPS, or the start of an IDR slice.
    pub keyframe_start: bool,
    /// The payload belongs to a keyframe, as far as it tells.
    pub keyframe: bool,
    /// Width and height in pixels, where the payload carries them.
    pub size: Option<(u32, u32)>,
    /// No other frame refers to this one.
    pub discardable: bool,
}

/// Reads what there is to read; a malformed payload tells nothing.
pub fn inspect(codec: CodecName, payload: &[u8]) -> FrameInfo {
    match codec {
        CodecName::H264 => h264::inspect(payload),
        CodecName::Vp8 => vp8::inspect(payload),
        CodecName::Vp9 => vp9::inspect(payload),
        CodecName::Av1 => av1::inspect(payload),
        CodecName::H265 | CodecName::Opus | CodecName::Red | CodecName::Other => FrameInfo::default(),
    }
}
