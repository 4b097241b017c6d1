//! The header extensions of a subscription: one fixed layout, values patched per packet.

use crate::message::{Extensions, Kind};
use crate::prefetch::prefetch;
use crate::time::Time;

/// One-byte-form block (RFC 8285 section 4.2) with every value in its place.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    block: Vec<u8>,
    transport_cc: Option<usize>,
    abs_send_time: Option<usize>,
    audio_level: Option<usize>,
    orientation: Option<usize>,
}

/// What differs from packet to packet.
#[derive(Debug, Clone, Copy, Default)]
pub struct Values {
    pub transport_sequence: u16,
    /// Written as 24 bits, 6.18 seconds (http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time).
    pub sent_at: Time,
    pub audio_level: u8,
    pub orientation: u8,
}

impl Layout {
    pub fn new(ids: &Extensions, kind: Kind, mid: &str) -> Layout {
        let mut layout = Layout { block: vec![0xBE, 0xDE, 0, 0], ..Layout::default() };
        layout.transport_cc = layout.element(ids.transport_cc, &[0; 2]);
        if layout.transport_cc.is_none() {
            layout.abs_send_time = layout.element(ids.abs_send_time, &[0; 3]);
        }
        match kind {
            Kind::Audio => layout.audio_level = layout.element(ids.audio_level, &[0]),
            Kind::Video => layout.orientation = layout.element(ids.video_orientation, &[0]),
        }
        layout.element(ids.mid, mid.as_bytes());
        while layout.block.len() % 4 != 0 {
            layout.block.push(0);
        }
        let words = (layout.block.len() / 4 - 1) as u16;
        if words == 0 {
            return Layout::default();
        }
        layout.block[2..4].copy_from_slice(&words.to_be_bytes());
        layout
    }

    /// Returns where the value stands; None if the id can't be written in the one-byte form.
    fn element(&mut self, id: u8, value: &[u8]) -> Option<usize> {
        if !(1..=14).contains(&id) || !(1..=16).contains(&value.len()) {
            return None;
        }
        self.block.push(id << 4 | (value.len() - 1) as u8);
        self.block.extend_from_slice(value);
        Some(self.block.len() - value.len())
    }

    pub fn len(&self) -> usize {
        self.block.len()
    }

    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// Ask for what `write` copies.
    pub fn prefetch(&self) {
        prefetch(self.block.as_slice());
    }

    pub fn has_transport_cc(&self) -> bool {
        self.transport_cc.is_some()
    }

    pub fn write(&self, out: &mut Vec<u8>, values: &Values) {
        let start = out.len();
        out.extend_from_slice(&self.block);
        let block = &mut out[start..];
        if let Some(at) = self.transport_cc {
            block[at..at + 2].copy_from_slice(&values.transport_sequence.to_be_bytes());
        }
        if let Some(at) = self.abs_send_time {
            // 2^18 ticks a second; what is above 24 bits, 64 s, is cut off.
            let ticks = ((u128::from(values.sent_at.micros()) << 18) / 1_000_000) as u32;
            block[at..at + 3].copy_from_slice(&ticks.to_be_bytes()[1..]);
        }
        if let Some(at) = self.audio_level {
            block[at] = values.audio_level;
        }
        if let Some(at) = self.orientation {
            block[at] = values.orientation;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp;

    #[test]
    fn a_parser_reads_back_every_value() {
        let ids = Extensions { mid: 4, transport_cc: 3, audio_level: 1, ..Extensions::default() };
        let layout = Layout::new(&ids, Kind::Audio, "0");
        let mut packet = vec![0x90, 111, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        layout.write(
            &mut packet,
            &Values { transport_sequence: 0xABCD, audio_level: 0x85, ..Values::default() },
        );
        packet.extend_from_slice(b"payload");
        let header = rtp::Header::parse(&packet).unwrap();
        let found: Vec<_> = header.extensions(&packet).collect();
        assert_eq!(found, [(3, &[0xAB, 0xCD][..]), (1, &[0x85][..]), (4, &b"0"[..])]);
        assert_eq!(header.payload(&packet).unwrap(), b"payload");
    }

    #[test]
    fn nothing_negotiated_writes_nothing() {
        assert!(Layout::new(&Extensions::default(), Kind::Video, "0").is_empty());
    }
}
