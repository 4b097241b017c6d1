//! What a packet's header extensions tell.

use crate::message::Extensions;
use crate::rtp::Header;

/// Header extensions of interest.
#[derive(Default)]
pub struct Found<'a> {
    pub mid: Option<&'a str>,
    pub rid: Option<&'a str>,
    pub repaired_rid: Option<&'a str>,
    pub transport_sequence: Option<u16>,
    pub audio_level: Option<u8>,
    pub orientation: Option<u8>,
}

impl<'a> Found<'a> {
    pub fn read(header: &Header, data: &'a [u8], ids: &Extensions) -> Found<'a> {
        let mut found = Found::default();
        for (id, value) in header.extensions(data) {
            if id == 0 {
                continue;
            } else if id == ids.transport_cc {
                found.transport_sequence = value.try_into().ok().map(u16::from_be_bytes);
            } else if id == ids.mid {
                found.mid = std::str::from_utf8(value).ok();
            } else if id == ids.rid {
                found.rid = std::str::from_utf8(value).ok();
            } else if id == ids.repaired_rid {
                found.repaired_rid = std::str::from_utf8(value).ok();
            } else if id == ids.audio_level {
                found.audio_level = value.first().copied();
            } else if id == ids.video_orientation {
                found.orientation = value.first().copied();
            }
        }
        found
    }
}
