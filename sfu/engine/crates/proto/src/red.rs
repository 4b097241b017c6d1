//! RED (RFC 2198): what of it a reader gets that takes the sound, but not its redundancy.

use crate::message::CodecSpec;

/// Whether a source's payloads are RED.
pub fn wraps(source: &CodecSpec) -> bool {
    source.name.eq_ignore_ascii_case("red")
}

/// The primary block of a RED payload, the newest and last; None if the headers don't fit the payload.
///
/// Each redundant block has a header of 4 bytes: F=1, payload type (7 bits), timestamp offset (14), length
/// (10); the primary one has a single byte: F=0 and its payload type (section 3).
pub fn primary(payload: &[u8]) -> Option<&[u8]> {
    let (mut at, mut redundant) = (0, 0);
    loop {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            return payload.get(at + 1 + redundant..);
        }
        let &[high, low] = payload.get(at + 2..at + 4)? else { return None };
        redundant += usize::from(u16::from_be_bytes([high, low]) & 0x3FF);
        at += 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_primary_block_is_the_last() {
        assert_eq!(primary(&[111, 1, 2, 3]), Some(&[1, 2, 3][..]));
        // Two redundant blocks of 2 and 1 bytes, 960 and 1,920 samples old.
        let two = [0x80 | 111, 0x1E, 0x00, 2, 0x80 | 111, 0x0F, 0x00, 1, 111, 7, 7, 8, 9, 10];
        assert_eq!(primary(&two), Some(&[9, 10][..]));
        assert_eq!(primary(&[111]), Some(&[][..]));
    }

    #[test]
    fn headers_that_lie_give_nothing() {
        for bad in
            [&[][..], &[0x80], &[0x80 | 111, 0, 0, 1], &[0x80 | 111, 0, 3, 0xFF, 111, 1, 2], &[0xFF; 40]]
        {
            assert_eq!(primary(bad), None);
        }
    }
}
