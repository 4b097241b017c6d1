//! H.264 payloads (RFC 6184) and sequence parameter sets (ITU-T H.264 section 7.3.2.1.1).

use super::bits::Bits;
use super::{CodecError, FrameInfo};

const SLICE: u8 = 1;
const DATA_PARTITION_C: u8 = 4;
const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Wider or higher is taken for a broken parameter set: level 6.2 ends at 16,384.
const MAX_SIDE: u32 = 16_384;

/// A payload of packetization mode 0 or 1. Where SPS and IDR slice travel in packets of their own,
/// both are said to begin a keyframe; they share a timestamp.
pub fn inspect(payload: &[u8]) -> FrameInfo {
    let mut info = FrameInfo::default();
    match payload {
        &[first, ref rest @ ..] if first & 0x1f == STAP_A => {
            let mut rest = rest;
            while let &[high, low, ref tail @ ..] = rest {
                let len = usize::from(u16::from_be_bytes([high, low]));
                let Some((nal, tail)) = tail.split_at_checked(len) else { break };
                if let &[header, ref body @ ..] = nal {
                    inspect_nal(header, body, true, &mut info);
                }
                rest = tail;
            }
        }
        // The FU header holds the type, the FU indicator the reference bits (RFC 6184 section 5.8).
        &[first, fu, ref body @ ..] if first & 0x1f == FU_A => {
            inspect_nal(first & 0xe0 | fu & 0x1f, body, fu & 0x80 != 0, &mut info);
        }
        &[header, ref body @ ..] => inspect_nal(header, body, true, &mut info),
        [] => (),
    }
    info
}

/// Adds what a NAL unit tells; `start` is false for a later fragment of it.
fn inspect_nal(header: u8, body: &[u8], start: bool, info: &mut FrameInfo) {
    match header & 0x1f {
        SPS => {
            info.keyframe = true;
            info.keyframe_start |= start;
            if start {
                info.size = parse_sps(body).ok().or(info.size);
            }
        }
        IDR => {
            info.keyframe = true;
            // first_mb_in_slice is zero: not a later slice of the picture (a one is ue(0)).
            info.keyframe_start |= start && body.first().is_some_and(|byte| byte & 0x80 != 0);
        }
        SLICE..=DATA_PARTITION_C => info.discardable = header & 0x60 == 0,
        _ => (),
    }
}

/// Width and height that an SPS gives after cropping; `body` is the NAL unit without its first byte.
pub fn parse_sps(body: &[u8]) -> Result<(u32, u32), CodecError> {
    let size = read_sps(&mut Bits::escaped(body)).ok_or(CodecError::TooShort)?;
    size.ok_or(CodecError::Invalid)
}

/// Outer `None`: it ends too early. Inner `None`: a forbidden value.
fn read_sps(bits: &mut Bits) -> Option<Option<(u32, u32)>> {
    let profile = bits.bits(8)?;
    bits.skip(16)?;
    bits.ue()?;
    let mut chroma = 1;
    if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(&profile) {
        chroma = bits.ue()?;
        if chroma == 3 && bits.bit()? {
            // Separate planes are each coded as if monochrome.
            chroma = 0;
            skip_high_profile(bits, 12)?;
        } else {
            skip_high_profile(bits, if chroma == 3 { 12 } else { 8 })?;
        }
    }
    bits.ue()?;
    match bits.ue()? {
        0 => {
            bits.ue()?;
        }
        1 => {
            bits.skip(1)?;
            bits.se()?;
            bits.se()?;
            let frames = bits.ue()?;
            if frames > 255 {
                return Some(None);
            }
            (0..frames).try_for_each(|_| bits.se().map(|_| ()))?;
        }
        2 => (),
        _ => return Some(None),
    }
    bits.ue()?;
    bits.skip(1)?;
    let (columns, rows) = (bits.ue()?, bits.ue()?);
    let fields = if bits.bit()? { 1 } else { 2 };
    if fields == 2 {
        bits.skip(1)?;
    }
    bits.skip(1)?;
    let mut crop = [0; 4];
    if bits.bit()? {
        for side in &mut crop {
            *side = bits.ue()?;
        }
    }
    Some(picture_size(columns, rows, fields, chroma, crop))
}

/// Bit depths, transform bypass and scaling matrices.
fn skip_high_profile(bits: &mut Bits, lists: u32) -> Option<()> {
    bits.ue()?;
    bits.ue()?;
    bits.skip(1)?;
    if !bits.bit()? {
        return Some(());
    }
    for list in 0..lists {
        if !bits.bit()? {
            continue;
        }
        // ITU-T H.264 section 7.3.2.1.1.1: a next scale of zero ends the deltas.
        let (mut last, mut next) = (8, 8);
        for _ in 0..if list < 6 { 16 } else { 64 } {
            if next != 0 {
                next = (last + bits.se()?).rem_euclid(256);
            }
            if next != 0 {
                last = next;
            }
        }
    }
    Some(())
}

/// ITU-T H.264 equations 7-19 to 7-22.
fn picture_size(columns: u32, rows: u32, fields: u32, chroma: u32, crop: [u32; 4]) -> Option<(u32, u32)> {
    let (unit_x, unit_y) = match chroma {
        0 | 3 => (1, fields),
        1 => (2, 2 * fields),
        2 => (2, fields),
        _ => return None,
    };
    let side = |blocks: u32, scale: u32, from: u32, to: u32, unit: u32| {
        let whole = blocks.checked_add(1)?.checked_mul(16 * scale)?;
        let cut = from.checked_add(to)?.checked_mul(unit)?;
        whole.checked_sub(cut).filter(|pixels| (1..=MAX_SIDE).contains(pixels))
    };
    let [left, right, top, bottom] = crop;
    Some((side(columns, 1, left, right, unit_x)?, side(rows, fields, top, bottom, unit_y)?))
}
