//! Replay protection (RFC 3711 section 3.3.2).

use super::SrtpError;

/// 1,024 packets are 0.4 s at 2,500 packets/s: reordering on real paths stays below.
const WINDOW: u64 = 1024;
const WORDS: usize = WINDOW as usize / 64;

/// Which of the last packets of one source have been seen.
#[derive(Debug, Clone)]
pub(super) struct ReplayWindow {
    pub highest: u64,
    /// A ring: the bit of index `i` is `i % WINDOW`.
    seen: [u64; WORDS],
}

fn bit(index: u64) -> (usize, u64) {
    ((index % WINDOW) as usize / 64, 1 << (index % 64))
}

impl ReplayWindow {
    /// Its first packet was `index`.
    pub fn new(index: u64) -> ReplayWindow {
        let mut window = ReplayWindow { highest: index, seen: [0; WORDS] };
        window.mark(index);
        window
    }

    pub fn check(&self, index: u64) -> Result<(), SrtpError> {
        if index > self.highest {
            return Ok(());
        }
        let (word, mask) = bit(index);
        if self.highest - index >= WINDOW || self.seen[word] & mask != 0 {
            return Err(SrtpError::Replay);
        }
        Ok(())
    }

    /// Call for an authentic packet that `check` let pass.
    pub fn mark(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= WINDOW {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..index {
                    let (word, mask) = bit(skipped);
                    self.seen[word] &= !mask;
                }
            }
            self.highest = index;
        }
        let (word, mask) = bit(index);
        self.seen[word] |= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::SmallRng;
    use rand::{Rng, SeedableRng};
    use std::collections::HashSet;

    #[test]
    fn agrees_with_a_set_of_all_that_was_seen() {
        for seed in 0..20 {
            let mut rng = SmallRng::seed_from_u64(seed);
            let mut at = 1u64 << 20;
            let mut window = ReplayWindow::new(at);
            let mut seen = HashSet::from([at]);
            let mut highest = at;
            for _ in 0..5_000 {
                let far = if rng.random_ratio(1, 50) { 3_000 } else { 40 };
                at = highest + rng.random_range(0..far) - rng.random_range(0..far);
                let fresh = !seen.contains(&at) && at + WINDOW > highest;
                assert_eq!(window.check(at).is_ok(), fresh, "seed {seed}, {at} below {highest}");
                if fresh {
                    window.mark(at);
                    seen.insert(at);
                    highest = highest.max(at);
                }
            }
        }
    }
}
