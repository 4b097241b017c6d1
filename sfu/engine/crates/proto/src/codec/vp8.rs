//! VP8 payloads (RFC 7741) and the head of a frame (RFC 6386 section 9.1).

use super::{CodecError, FrameInfo};

/// The payload descriptor (RFC 7741 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// The first packet of a frame: S bit and partition 0.
    pub start: bool,
    /// The N bit: no other frame refers to this one.
    pub non_reference: bool,
    /// Value, offset in the payload, and whether it has 15 bits rather than 7.
    pub picture_id: Option<(u16, usize, bool)>,
    /// Value and offset in the payload.
    pub tl0picidx: Option<(u8, usize)>,
    /// Temporal layer.
    pub tid: Option<u8>,
    /// The Y bit: this frame depends on the base layer only.
    pub layer_sync: bool,
    pub keyidx: Option<u8>,
    pub header_len: usize,
}

impl Descriptor {
    pub fn parse(payload: &[u8]) -> Result<Descriptor, CodecError> {
        let at = |index: usize| payload.get(index).copied().ok_or(CodecError::TooShort);
        let first = at(0)?;
        let mut descriptor = Descriptor {
            start: first & 0x10 != 0 && first & 0x07 == 0,
            non_reference: first & 0x20 != 0,
            picture_id: None,
            tl0picidx: None,
            tid: None,
            layer_sync: false,
            keyidx: None,
            header_len: 1,
        };
        if first & 0x80 == 0 {
            return Ok(descriptor);
        }
        let present = at(1)?;
        let mut next = 2;
        if present & 0x80 != 0 {
            let high = at(next)?;
            let wide = high & 0x80 != 0;
            let id = if wide { u16::from_be_bytes([high & 0x7f, at(next + 1)?]) } else { u16::from(high) };
            descriptor.picture_id = Some((id, next, wide));
            next += if wide { 2 } else { 1 };
        }
        if present & 0x40 != 0 {
            descriptor.tl0picidx = Some((at(next)?, next));
            next += 1;
        }
        if present & 0x30 != 0 {
            let byte = at(next)?;
            if present & 0x20 != 0 {
                descriptor.tid = Some(byte >> 6);
                descriptor.layer_sync = byte & 0x20 != 0;
            }
            if present & 0x10 != 0 {
                descriptor.keyidx = Some(byte & 0x1f);
            }
            next += 1;
        }
        descriptor.header_len = next;
        Ok(descriptor)
    }
}

/// Writes other numbers into the payload that `d` was parsed from, in the width that is there (a
/// 7-bit picture id keeps the low 7 bits) and only where there is such a field.
pub fn rewrite(payload: &mut [u8], d: &Descriptor, picture_id: u16, tl0picidx: u8) {
    if let Some((_, at, wide)) = d.picture_id {
        match payload.get_mut(at..) {
            Some([high, low, ..]) if wide => [*high, *low] = (picture_id | 0x8000).to_be_bytes(),
            Some([only, ..]) if !wide => *only = picture_id as u8 & 0x7f,
            _ => (),
        }
    }
    if let Some((_, at)) = d.tl0picidx {
        if let Some(byte) = payload.get_mut(at) {
            *byte = tl0picidx;
        }
    }
}

/// Only the first packet of a frame tells whether it is a keyframe.
pub fn inspect(payload: &[u8]) -> FrameInfo {
    let Ok(descriptor) = Descriptor::parse(payload) else { return FrameInfo::default() };
    let frame = &payload[descriptor.header_len..];
    // The P bit is zero for keyframes.
    let keyframe = descriptor.start && frame.first().is_some_and(|tag| tag & 1 == 0);
    let size = match frame {
        &[_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..] if keyframe => {
            // The upper two bits are scaling hints.
            let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
            Some((side(w0, w1), side(h0, h1)))
        }
        _ => None,
    };
    FrameInfo { keyframe_start: keyframe, keyframe, size, discardable: descriptor.non_reference }
}
