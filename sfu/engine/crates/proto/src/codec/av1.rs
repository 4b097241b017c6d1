//! AV1 payloads (RTP Payload Format For AV1, version 1.0.0) and sequence headers (AV1 Bitstream
//! section 5.5).

use super::bits::Bits;
use super::FrameInfo;

const SEQUENCE_HEADER: u8 = 1;

/// The N bit marks the packet with which a coded video sequence, and so a keyframe, begins.
pub fn inspect(payload: &[u8]) -> FrameInfo {
    let Some((&aggregation, elements)) = payload.split_first() else { return FrameInfo::default() };
    let keyframe = aggregation & 0x08 != 0;
    let size = if keyframe { find_size(aggregation, elements) } else { None };
    FrameInfo { keyframe_start: keyframe, keyframe, size, discardable: false }
}

/// Section 4.3: W elements, the last without a length; or, if W is zero, all with one. A first
/// element with the Z bit goes on from the packet before; no sequence header begins there.
fn find_size(aggregation: u8, elements: &[u8]) -> Option<(u32, u32)> {
    let count = usize::from(aggregation >> 4 & 0x03);
    let mut rest = elements;
    let mut position = 0;
    while !rest.is_empty() {
        position += 1;
        let len = if position == count { rest.len() } else { leb128(&mut rest)? };
        let (element, tail) = rest.split_at_checked(len)?;
        let continues = position == 1 && aggregation & 0x80 != 0;
        if let (Some((&header, body)), false) = (element.split_first(), continues) {
            if header >> 3 & 0x0f == SEQUENCE_HEADER {
                return sequence_size(header, body);
            }
        }
        if position == count {
            return None;
        }
        rest = tail;
    }
    None
}

/// AV1 Bitstream section 4.10.5, for lengths below 2^28.
fn leb128(rest: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in [0, 7, 14, 21] {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn sequence_size(header: u8, body: &[u8]) -> Option<(u32, u32)> {
    let mut body = body;
    if header & 0x04 != 0 {
        body = body.get(1..)?;
    }
    if header & 0x02 != 0 {
        leb128(&mut body)?;
    }
    read_sequence_header(&mut Bits::new(body))
}

/// AV1 Bitstream section 5.5.1, as far as the maximum frame size.
fn read_sequence_header(bits: &mut Bits) -> Option<(u32, u32)> {
    bits.skip(4)?;
    if bits.bit()? {
        // A reduced still picture header: one operating point, its level only.
        bits.skip(5)?;
    } else {
        skip_operating_points(bits)?;
    }
    let (width_bits, height_bits) = (bits.bits(4)? + 1, bits.bits(4)? + 1);
    Some((bits.bits(width_bits)? + 1, bits.bits(height_bits)? + 1))
}

fn skip_operating_points(bits: &mut Bits) -> Option<()> {
    let mut delay_bits = None;
    if bits.bit()? {
        bits.skip(64)?;
        if bits.bit()? {
            bits.ue()?;
        }
        if bits.bit()? {
            delay_bits = Some(bits.bits(5)? + 1);
            bits.skip(32 + 5 + 5)?;
        }
    }
    let display_delay = bits.bit()?;
    for _ in 0..=bits.bits(5)? {
        bits.skip(12)?;
        if bits.bits(5)? > 7 {
            bits.skip(1)?;
        }
        if let Some(delay_bits) = delay_bits {
            if bits.bit()? {
                bits.skip(2 * delay_bits + 1)?;
            }
        }
        if display_delay && bits.bit()? {
            bits.skip(4)?;
        }
    }
    Some(())
}
