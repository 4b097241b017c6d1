use super::feedback::{LARGE, LOST, REFERENCE_US, SMALL, TICK_US};
use crate::seq::Unwrapper16;
use crate::time::Time;
use std::collections::VecDeque;

/// Arrivals kept between two feedbacks: half a second at 7,000 packets/s. Of more, the oldest are
/// forgotten, and so reported as lost.
const MAX_PENDING: usize = 4_096;
/// Bytes of one feedback packet: it fits a datagram with some other RTCP.
const MAX_PACKET: usize = 1_100;
/// A greater gap is not reported as loss: the numbers start anew.
const MAX_GAP: u64 = 0x7fff;
/// Longest run that a chunk can name.
const MAX_RUN: usize = 0x1fff;

/// Remembers when packets arrived until it has told the sender.
#[derive(Debug, Default)]
pub struct ArrivalRecorder {
    unwrapper: Unwrapper16,
    /// (sequence, arrival in ticks of 250 us), as they came.
    pending: VecDeque<(u64, i64)>,
    /// The first sequence that no feedback covered.
    next: Option<u64>,
    feedback_count: u8,
    symbols: Vec<u8>,
    deltas: Vec<u8>,
}

impl ArrivalRecorder {
    pub fn record(&mut self, sequence: u16, arrival: Time) {
        let sequence = self.unwrapper.unwrap(sequence);
        if self.pending.len() == MAX_PENDING {
            self.pending.pop_front();
        }
        self.pending.push_back((sequence, (arrival.micros() as i64) / TICK_US));
    }

    /// Appends feedback about what is new since the last call: several packets if one cannot hold it.
    /// What came after a later feedback had called it lost gets a packet of its own, which covers
    /// nothing else. Returns false, and appends nothing, if nothing is new.
    pub fn write_feedback(&mut self, out: &mut Vec<u8>, sender: u32, media: u32) -> bool {
        if self.pending.is_empty() {
            return false;
        }
        let mut pending = std::mem::take(&mut self.pending);
        let arrivals = pending.make_contiguous();
        // The stable sort keeps the first arrival of a duplicate in front.
        arrivals.sort_by_key(|&(sequence, _)| sequence);
        let mut rest = &*arrivals;
        while !rest.is_empty() {
            rest = self.write_packet(out, rest, sender, media);
        }
        pending.clear();
        self.pending = pending;
        true
    }

    /// Appends one packet with the first of `arrivals` and returns those that it does not cover.
    fn write_packet<'a>(
        &mut self,
        out: &mut Vec<u8>,
        arrivals: &'a [(u64, i64)],
        sender: u32,
        media: u32,
    ) -> &'a [(u64, i64)] {
        let (first, first_ticks) = arrivals[0];
        let late = self.next.is_some_and(|next| first < next);
        let base = self.next.filter(|&next| next <= first && first - next <= MAX_GAP).unwrap_or(first);
        let reference = first_ticks.div_euclid(REFERENCE_US / TICK_US);
        self.symbols.clear();
        self.deltas.clear();

        let mut expected = base;
        let mut before = reference * (REFERENCE_US / TICK_US);
        let mut chunk_symbols = 0;
        let mut taken = 0;
        for &(sequence, ticks) in arrivals {
            if sequence < expected {
                // A duplicate.
                taken += 1;
                continue;
            }
            let gap = sequence - expected;
            if late && (gap > 0 || self.next.is_some_and(|next| sequence >= next)) {
                break;
            }
            // Each chunk covers at least 7 symbols, and of a long run all but the ends.
            chunk_symbols += 1 + gap.min(21) as usize + gap as usize / MAX_RUN * 7;
            let size = 20 + 2 * (chunk_symbols / 7 + 1) + self.deltas.len() + 2;
            let delta = ticks - before;
            let covered = self.symbols.len() as u64 + gap + 1;
            let fits = size <= MAX_PACKET && covered <= 0xffff && i16::try_from(delta).is_ok();
            if taken > 0 && (!fits || gap > MAX_GAP) {
                break;
            }
            self.symbols.resize(self.symbols.len() + gap as usize, LOST);
            match u8::try_from(delta) {
                Ok(small) => {
                    self.symbols.push(SMALL);
                    self.deltas.push(small);
                }
                Err(_) => {
                    self.symbols.push(LARGE);
                    self.deltas.extend_from_slice(&(delta as i16).to_be_bytes());
                }
            }
            before = ticks;
            expected = sequence + 1;
            taken += 1;
        }
        self.next = Some(self.next.map_or(expected, |next| next.max(expected)));
        self.write_packet_bytes(out, base as u16, reference as u32, sender, media);
        &arrivals[taken..]
    }

    /// Section 3.1, padded as RFC 3550 section 6.4.1 says.
    fn write_packet_bytes(&mut self, out: &mut Vec<u8>, base: u16, reference: u32, sender: u32, media: u32) {
        let start = out.len();
        out.extend_from_slice(&[0x8f, 205, 0, 0]);
        out.extend_from_slice(&sender.to_be_bytes());
        out.extend_from_slice(&media.to_be_bytes());
        out.extend_from_slice(&base.to_be_bytes());
        out.extend_from_slice(&(self.symbols.len() as u16).to_be_bytes());
        out.extend_from_slice(&(reference << 8 | u32::from(self.feedback_count)).to_be_bytes());
        self.feedback_count = self.feedback_count.wrapping_add(1);
        write_chunks(out, &self.symbols);
        out.extend_from_slice(&self.deltas);
        let len = out.len() - start;
        let padding = len.next_multiple_of(4) - len;
        if padding > 0 {
            out[start] |= 0x20;
            out.resize(out.len() + padding - 1, 0);
            out.push(padding as u8);
        }
        let words = ((out.len() - start) / 4 - 1) as u16;
        out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
    }
}

/// Chooses for each chunk the form that covers most: a run (section 3.1.3), 14 symbols of one bit or 7
/// of two (section 3.1.4).
fn write_chunks(out: &mut Vec<u8>, symbols: &[u8]) {
    let mut rest = symbols;
    while let Some(&first) = rest.first() {
        let run = rest.iter().take(MAX_RUN).take_while(|&&symbol| symbol == first).count();
        // Only the last chunk may be filled up.
        let one_bit = rest.len().min(14);
        let one_bit = if rest[..one_bit].contains(&LARGE) { 0 } else { one_bit };
        let two_bit = rest.len().min(7);
        let (chunk, covered) = if run >= one_bit.max(two_bit) {
            (u16::from(first) << 13 | run as u16, run)
        } else if one_bit >= two_bit {
            (0x8000 | vector(&rest[..one_bit], 14, 1), one_bit)
        } else {
            (0xc000 | vector(&rest[..two_bit], 7, 2), two_bit)
        };
        out.extend_from_slice(&chunk.to_be_bytes());
        rest = &rest[covered..];
    }
}

/// The first symbol in the highest bits.
fn vector(symbols: &[u8], count: usize, width: usize) -> u16 {
    let bits = symbols.iter().fold(0, |bits, &symbol| bits << width | u16::from(symbol));
    bits << ((count - symbols.len()) * width)
}
