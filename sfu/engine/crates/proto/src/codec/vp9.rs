//! VP9 payloads (RFC 9628).

use super::{CodecError, FrameInfo};

/// The payload descriptor (RFC 9628 section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    /// Value, offset in the payload, and whether it has 15 bits rather than 7 (I bit).
    pub picture_id: Option<(u16, usize, bool)>,
    /// The P bit: the picture refers to earlier ones.
    pub inter_predicted: bool,
    /// The F bit: references are listed in every packet.
    pub flexible: bool,
    /// The B bit: the first packet of a frame (of one spatial layer).
    pub start: bool,
    /// The E bit: the last packet of a frame.
    pub end: bool,
    /// Temporal layer.
    pub tid: Option<u8>,
    /// Spatial layer.
    pub sid: Option<u8>,
    /// Value and offset in the payload; in non-flexible mode only.
    pub tl0picidx: Option<(u8, usize)>,
    /// Size of the highest spatial layer, from the scalability structure (V bit).
    pub size: Option<(u32, u32)>,
    pub header_len: usize,
}

/// Takes bytes off the front.
struct Reader<'a> {
    payload: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.payload.get(self.at).ok_or(CodecError::TooShort)?;
        self.at += 1;
        Ok(byte)
    }

    fn u16(&mut self) -> Result<u16, CodecError> {
        Ok(u16::from_be_bytes([self.byte()?, self.byte()?]))
    }
}

impl Descriptor {
    pub fn parse(payload: &[u8]) -> Result<Descriptor, CodecError> {
        let mut reader = Reader { payload, at: 0 };
        let first = reader.byte()?;
        let flexible = first & 0x10 != 0;
        let mut descriptor = Descriptor {
            picture_id: None,
            inter_predicted: first & 0x40 != 0,
            flexible,
            start: first & 0x08 != 0,
            end: first & 0x04 != 0,
            tid: None,
            sid: None,
            tl0picidx: None,
            size: None,
            header_len: 0,
        };
        if first & 0x80 != 0 {
            let at = reader.at;
            let high = reader.byte()?;
            let wide = high & 0x80 != 0;
            let id = if wide { u16::from_be_bytes([high & 0x7f, reader.byte()?]) } else { u16::from(high) };
            descriptor.picture_id = Some((id, at, wide));
        }
        if first & 0x20 != 0 {
            let layers = reader.byte()?;
            descriptor.tid = Some(layers >> 5);
            descriptor.sid = Some(layers >> 1 & 0x07);
            if !flexible {
                let at = reader.at;
                descriptor.tl0picidx = Some((reader.byte()?, at));
            }
        }
        if flexible && descriptor.inter_predicted {
            let mut references = 1;
            while reader.byte()? & 1 != 0 {
                references += 1;
                if references > 3 {
                    return Err(CodecError::Invalid);
                }
            }
        }
        if first & 0x02 != 0 {
            descriptor.size = read_structure(&mut reader)?;
        }
        descriptor.header_len = reader.at;
        Ok(descriptor)
    }
}

/// The scalability structure (RFC 9628 section 4.2.1): sizes of the layers, then the pictures of a group.
fn read_structure(reader: &mut Reader) -> Result<Option<(u32, u32)>, CodecError> {
    let first = reader.byte()?;
    let mut size = None;
    if first & 0x10 != 0 {
        for _ in 0..=first >> 5 {
            size = Some((u32::from(reader.u16()?), u32::from(reader.u16()?)));
        }
    }
    if first & 0x08 != 0 {
        for _ in 0..reader.byte()? {
            for _ in 0..reader.byte()? >> 2 & 0x03 {
                reader.byte()?;
            }
        }
    }
    Ok(size)
}

/// A keyframe is a picture without inter-picture prediction; it begins with its lowest spatial layer.
pub fn inspect(payload: &[u8]) -> FrameInfo {
    let Ok(descriptor) = Descriptor::parse(payload) else { return FrameInfo::default() };
    let keyframe = !descriptor.inter_predicted;
    FrameInfo {
        keyframe_start: keyframe && descriptor.start && descriptor.sid.unwrap_or(0) == 0,
        keyframe,
        size: descriptor.size,
        discardable: false,
    }
}
