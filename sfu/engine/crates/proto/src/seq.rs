//! Sequence numbers that wrap, made to count on.

/// Whether `a` comes after `b` in serial number arithmetic (RFC 1982); false for two numbers exactly
/// half the space apart, whose order is undefined.
pub fn newer16(a: u16, b: u16) -> bool {
    let ahead = a.wrapping_sub(b);
    ahead != 0 && ahead < 0x8000
}

/// Extends 16-bit numbers to 64 bits. The first value `v` becomes `(1 << 16) | v`, so that values
/// from before it stay positive; each further one becomes the number nearest to the highest seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwrapper16 {
    highest: Option<u64>,
}

impl Unwrapper16 {
    pub fn unwrap(&mut self, v: u16) -> u64 {
        let wide = self.peek(v);
        self.highest = Some(self.highest.map_or(wide, |highest| highest.max(wide)));
        wide
    }

    /// What `unwrap` would give, without learning from it.
    pub fn peek(&self, v: u16) -> u64 {
        match self.highest {
            None => (1 << 16) | u64::from(v),
            Some(highest) => {
                let step = v.wrapping_sub(highest as u16) as i16;
                // More than a whole turn before the first value cannot be told from ahead of it.
                highest.checked_add_signed(i64::from(step)).unwrap_or(u64::from(v))
            }
        }
    }
}

/// Extends 32-bit numbers to 64 bits. The first value `v` becomes `(1 << 32) | v`, so that values
/// from before it stay positive; each further one becomes the number nearest to the highest seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwrapper32 {
    highest: Option<u64>,
}

impl Unwrapper32 {
    pub fn unwrap(&mut self, v: u32) -> u64 {
        let wide = self.peek(v);
        self.highest = Some(self.highest.map_or(wide, |highest| highest.max(wide)));
        wide
    }

    /// What `unwrap` would give, without learning from it.
    pub fn peek(&self, v: u32) -> u64 {
        match self.highest {
            None => (1 << 32) | u64::from(v),
            Some(highest) => {
                let step = v.wrapping_sub(highest as u32) as i32;
                highest.checked_add_signed(i64::from(step)).unwrap_or(u64::from(v))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STARTS_16: [u16; 6] = [0, 1, 0x7fff, 0x8000, 0xfffe, 0xffff];
    const STARTS_32: [u32; 7] = [0, 1, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

    #[test]
    fn newer_follows_rfc_1982() {
        for b in STARTS_16 {
            assert!(!newer16(b, b));
            assert!(newer16(b.wrapping_add(1), b) && !newer16(b, b.wrapping_add(1)));
            assert!(newer16(b.wrapping_add(0x7fff), b) && !newer16(b, b.wrapping_add(0x7fff)));
            assert!(!newer16(b.wrapping_add(0x8000), b) && !newer16(b, b.wrapping_add(0x8000)));
        }
    }

    #[test]
    fn unwraps_16_bits_through_three_turns() {
        for start in STARTS_16 {
            let mut unwrapper = Unwrapper16::default();
            let base = (1 << 16) | u64::from(start);
            for i in 0..200_000u64 {
                assert_eq!(unwrapper.unwrap((base + i) as u16), base + i);
            }
        }
    }

    #[test]
    fn unwraps_32_bits_through_three_turns() {
        for start in STARTS_32 {
            let mut unwrapper = Unwrapper32::default();
            let base = (1 << 32) | u64::from(start);
            for i in 0..200_000u64 {
                let wide = base + i * 65_537;
                assert_eq!(unwrapper.unwrap(wide as u32), wide);
            }
        }
    }

    #[test]
    fn a_reordered_value_keeps_its_place_and_the_highest_stays() {
        for start in STARTS_16 {
            let mut unwrapper = Unwrapper16::default();
            let base = unwrapper.unwrap(start);
            assert_eq!(unwrapper.unwrap(start.wrapping_sub(100)), base - 100);
            assert_eq!(unwrapper.unwrap(start.wrapping_add(0x7fff)), base + 0x7fff);
            assert_eq!(unwrapper.unwrap(start.wrapping_add(0x7ff0)), base + 0x7ff0);
            assert_eq!(unwrapper.peek(start.wrapping_add(0x8001)), base + 0x8001);
            assert_eq!(unwrapper.unwrap(start.wrapping_add(0x8000)), base + 0x8000);
        }
    }

    #[test]
    fn peek_learns_nothing() {
        let mut unwrapper = Unwrapper32::default();
        let base = unwrapper.unwrap(7);
        for i in 0..4u32 {
            unwrapper.peek(7u32.wrapping_add(i.wrapping_mul(0x7000_0000)));
        }
        assert_eq!(unwrapper.unwrap(8), base + 1);
    }

    #[test]
    fn jumps_back_never_underflow() {
        let mut narrow = Unwrapper16::default();
        let mut wide = Unwrapper32::default();
        for i in 0..100u32 {
            narrow.unwrap((i * 0x9000) as u16);
            wide.unwrap(i.wrapping_mul(0x9000_0000));
            narrow.peek(0x8000);
            wide.peek(0x8000_0000);
        }
    }
}
