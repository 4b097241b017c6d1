//! VP8 payloads (RFC 7741).

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
    pub fn parse(_payload: &[u8]) -> Result<Descriptor, CodecError> {
        todo!()
    }
}

/// Writes other numbers into the payload that `d` was parsed from, in the width that is there (a
/// 7-bit picture id keeps the low 7 bits) and only where there is such a field.
pub fn rewrite(_payload: &mut [u8], _d: &Descriptor, _picture_id: u16, _tl0picidx: u8) {
    todo!()
}

pub fn inspect(_payload: &[u8]) -> FrameInfo {
    todo!()
}
