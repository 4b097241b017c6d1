//! Bit by bit, as H.264 (ITU-T H.264 section 7.2) and AV1 (section 4.10) write their headers.

/// Every read gives `None` past the end.
pub(super) struct Bits<'a> {
    rest: std::slice::Iter<'a, u8>,
    current: u8,
    left: u32,
    /// Zero bytes in a row, for emulation prevention.
    zeros: u32,
    escaped: bool,
}

impl<'a> Bits<'a> {
    pub fn new(data: &'a [u8]) -> Bits<'a> {
        Bits { rest: data.iter(), current: 0, left: 0, zeros: 0, escaped: false }
    }

    /// Leaves out the 3 of each 0 0 3 (ITU-T H.264 section 7.4.1).
    pub fn escaped(data: &'a [u8]) -> Bits<'a> {
        Bits { escaped: true, ..Bits::new(data) }
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = *self.rest.next()?;
        if self.escaped && self.zeros >= 2 && byte == 3 {
            self.zeros = 0;
            byte = *self.rest.next()?;
        }
        self.zeros = if byte == 0 { self.zeros + 1 } else { 0 };
        Some(byte)
    }

    pub fn bit(&mut self) -> Option<bool> {
        if self.left == 0 {
            self.current = self.byte()?;
            self.left = 8;
        }
        self.left -= 1;
        Some(self.current >> self.left & 1 == 1)
    }

    /// `count` at most 32.
    pub fn bits(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |value, _| Some(value << 1 | u32::from(self.bit()?)))
    }

    pub fn skip(&mut self, count: u32) -> Option<()> {
        (0..count).try_for_each(|_| self.bit().map(|_| ()))
    }

    /// Exp-Golomb ue(v) of H.264, uvlc() of AV1; `None` past 2^32 - 2.
    pub fn ue(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1u64 << zeros) - 1) as u32 + self.bits(zeros)?)
    }

    /// Exp-Golomb se(v): 1, -1, 2, -2 and so on (ITU-T H.264 section 9.1.1).
    pub fn se(&mut self) -> Option<i64> {
        let code = i64::from(self.ue()?);
        Some(if code & 1 == 1 { (code + 1) / 2 } else { -code / 2 })
    }
}

#[cfg(test)]
mod tests {
    use super::Bits;

    #[test]
    fn exp_golomb() {
        // 1 010 011 00100 00101
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!((0..5).map(|_| bits.ue()).collect::<Vec<_>>(), [0, 1, 2, 3, 4].map(Some));
        let mut bits = Bits::new(&[0b1010_0110, 0b0100_0010, 0b1000_0000]);
        assert_eq!((0..5).map(|_| bits.se()).collect::<Vec<_>>(), [0, 1, -1, 2, -2].map(Some));
        assert_eq!(Bits::new(&[0; 9]).ue(), None);
        let longest = [0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(Bits::new(&longest).ue(), Some(u32::MAX - 1));
        assert_eq!(Bits::new(&longest[..7]).ue(), None);
    }

    #[test]
    fn emulation_prevention() {
        let data = [0, 0, 3, 1, 0, 0, 3, 0, 0, 3, 2, 3];
        let read = |mut bits: Bits| std::iter::from_fn(|| bits.bits(8)).collect::<Vec<_>>();
        assert_eq!(read(Bits::escaped(&data)), [0, 0, 1, 0, 0, 0, 0, 2, 3]);
        assert_eq!(read(Bits::new(&data)).len(), data.len());
    }
}
