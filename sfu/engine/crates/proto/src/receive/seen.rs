//! Duplicates of one source.

/// Which of the last 2,048 sequence numbers came: a retransmission may cross the original.
#[derive(Debug, Default)]
pub(super) struct Seen {
    highest: u64,
    bits: [u64; 32],
}

impl Seen {
    const SIZE: u64 = 2_048;

    /// False if it came before or is too old to tell.
    pub fn insert(&mut self, seq: u64) -> bool {
        if seq > self.highest {
            let from = self.highest.max(seq.saturating_sub(Self::SIZE)) + 1;
            for gone in from..=seq {
                self.bits[(gone / 64 % 32) as usize] &= !(1 << (gone % 64));
            }
            self.highest = seq;
        } else if self.highest - seq >= Self::SIZE {
            return false;
        }
        let word = &mut self.bits[(seq / 64 % 32) as usize];
        let fresh = *word & (1 << (seq % 64)) == 0;
        *word |= 1 << (seq % 64);
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_dropped_once_and_old_ones_too() {
        let mut seen = Seen::default();
        assert!(seen.insert(70_000));
        assert!(!seen.insert(70_000));
        assert!(seen.insert(69_000));
        assert!(!seen.insert(69_000));
        assert!(seen.insert(80_000));
        assert!(!seen.insert(70_000));
        assert!(seen.insert(79_999));
    }
}
