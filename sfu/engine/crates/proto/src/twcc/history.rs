use crate::time::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendKind {
    Audio,
    Video,
    Rtx,
    Padding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    pub at: Time,
    /// Bytes.
    pub size: u16,
    pub kind: SendKind,
}

/// 2 s at 1,000 packets/s, that is at 10 Mb/s; 16 KB for each viewer.
const CAPACITY: usize = 2_048;
/// Packets of a frame: of nine at 2.5 Mb/s, and some.
const FRAME: usize = 16;
const MAX_SIZE: u16 = 0x3fff;
const KINDS: [SendKind; 4] = [SendKind::Audio, SendKind::Video, SendKind::Rtx, SendKind::Padding];

/// The last 2,048 packets sent on a transport, by transport-wide sequence number.
#[derive(Debug, Default)]
pub struct SendHistory {
    /// A ring, allocated with the first packet: 48 bits of microseconds (8.9 years), 2 of kind, 14 of
    /// size.
    ring: Vec<u64>,
    /// Packets sent so far; its low 16 bits are the next sequence number.
    count: u64,
}

impl SendHistory {
    /// Returns the packet's transport-wide sequence number: the first is 0. A size above 16,383 is
    /// kept as that.
    pub fn push(&mut self, at: Time, size: u16, kind: SendKind) -> u16 {
        if self.ring.is_empty() {
            self.ring.resize(CAPACITY, 0);
        }
        let sequence = self.count as u16;
        self.ring[usize::from(sequence) % CAPACITY] =
            at.micros() << 16 | (kind as u64) << 14 | u64::from(size.min(MAX_SIZE));
        self.count += 1;
        sequence
    }

    /// Where the next packets will be kept.
    pub fn next_places(&self) -> &[u64] {
        let start = self.count as usize % CAPACITY;
        self.ring.get(start..(start + FRAME).min(CAPACITY)).unwrap_or_default()
    }

    /// `None` if the packet was never sent or is too old to know.
    pub fn get(&self, sequence: u16) -> Option<Sent> {
        let back = (self.count as u16).wrapping_sub(1).wrapping_sub(sequence);
        if u64::from(back) >= self.count.min(CAPACITY as u64) {
            return None;
        }
        let packed = self.ring[usize::from(sequence) % CAPACITY];
        Some(Sent {
            at: Time::from_micros(packed >> 16),
            size: packed as u16 & MAX_SIZE,
            kind: KINDS[(packed >> 14) as usize & 3],
        })
    }
}
