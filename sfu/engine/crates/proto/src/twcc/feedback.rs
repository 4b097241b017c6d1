use crate::rtcp::TransportCcRaw;

/// Microseconds of a delta of one.
pub(super) const TICK_US: i64 = 250;
/// Microseconds of a reference time of one.
pub(super) const REFERENCE_US: i64 = 64_000;

/// Symbols of a packet's state.
pub(super) const LOST: u8 = 0;
pub(super) const SMALL: u8 = 1;
pub(super) const LARGE: u8 = 2;

/// Reads the chunks and deltas of a feedback packet. Stops at what is malformed.
pub fn parse_feedback<'a>(raw: &TransportCcRaw<'a>) -> Feedback<'a> {
    // The deltas begin behind as many chunks as the packet count needs.
    let mut symbols = 0;
    let mut chunks_len = 0;
    while symbols < usize::from(raw.packet_count) && chunks_len + 2 <= raw.body.len() {
        let chunk = u16::from_be_bytes([raw.body[chunks_len], raw.body[chunks_len + 1]]);
        symbols += usize::from(Chunk::read(chunk).left);
        chunks_len += 2;
    }
    let (chunks, deltas) = raw.body.split_at(chunks_len);
    Feedback {
        reference_time: raw.reference_time,
        chunks,
        deltas,
        chunk: Chunk::default(),
        sequence: raw.base_sequence,
        remaining: raw.packet_count,
        ticks: 0,
    }
}

/// A status chunk (sections 3.1.3 and 3.1.4), as a row of symbols.
#[derive(Debug, Clone, Copy, Default)]
struct Chunk {
    left: u16,
    /// Bits of a symbol, zero for a run.
    width: u16,
    /// The symbol of the run, or the vector with the next symbol in its low bits after a shift by
    /// `(left - 1) * width`.
    symbols: u16,
}

impl Chunk {
    fn read(chunk: u16) -> Chunk {
        match chunk >> 14 {
            0 | 1 => Chunk { left: chunk & 0x1fff, width: 0, symbols: chunk >> 13 & 3 },
            2 => Chunk { left: 14, width: 1, symbols: chunk & 0x3fff },
            _ => Chunk { left: 7, width: 2, symbols: chunk & 0x3fff },
        }
    }

    fn next(&mut self) -> Option<u8> {
        self.left = self.left.checked_sub(1)?;
        if self.width == 0 {
            return Some(self.symbols as u8);
        }
        Some((self.symbols >> (self.left * self.width)) as u8 & ((1 << self.width) - 1))
    }
}

/// (transport-wide sequence, microseconds from the reference time to the arrival, or `None` if the
/// packet has not arrived), for each packet that the feedback covers, in order.
#[derive(Debug, Clone)]
pub struct Feedback<'a> {
    reference_time: i32,
    chunks: &'a [u8],
    deltas: &'a [u8],
    chunk: Chunk,
    sequence: u16,
    remaining: u16,
    /// Since the reference time.
    ticks: i64,
}

impl Feedback<'_> {
    /// In microseconds of the receiver's clock; wraps after 2^24 x 64 ms, 12 days.
    pub fn reference_time_us(&self) -> i64 {
        i64::from(self.reference_time) * REFERENCE_US
    }

    fn symbol(&mut self) -> Option<u8> {
        loop {
            if let Some(symbol) = self.chunk.next() {
                return Some(symbol);
            }
            let (&[high, low], rest) = self.chunks.split_first_chunk()?;
            self.chunk = Chunk::read(u16::from_be_bytes([high, low]));
            self.chunks = rest;
        }
    }

    fn read(&mut self) -> Option<(u16, Option<i64>)> {
        let arrival = match self.symbol()? {
            LOST => None,
            SMALL => {
                let (&[ticks], rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                self.ticks += i64::from(ticks);
                Some(self.ticks * TICK_US)
            }
            LARGE => {
                let (&[high, low], rest) = self.deltas.split_first_chunk()?;
                self.deltas = rest;
                self.ticks += i64::from(i16::from_be_bytes([high, low]));
                Some(self.ticks * TICK_US)
            }
            _ => return None,
        };
        Some((self.sequence, arrival))
    }
}

impl Iterator for Feedback<'_> {
    type Item = (u16, Option<i64>);

    fn next(&mut self) -> Option<(u16, Option<i64>)> {
        self.remaining = self.remaining.checked_sub(1)?;
        let item = self.read();
        match item {
            Some(_) => self.sequence = self.sequence.wrapping_add(1),
            None => self.remaining = 0,
        }
        item
    }
}
