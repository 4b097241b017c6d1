mod av1;
mod h264;
mod vp8;
mod vp9;

use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

const VIDEO: [CodecName; 5] =
    [CodecName::H264, CodecName::H265, CodecName::Vp8, CodecName::Vp9, CodecName::Av1];

pub(super) fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// Truncations, every value of every byte, and random tails.
pub(super) fn torment(seed: &[u8], exercise: impl Fn(&[u8])) {
    for len in 0..=seed.len() {
        exercise(&seed[..len]);
    }
    for at in 0..seed.len() {
        for value in 0..=255 {
            let mut data = seed.to_vec();
            data[at] = value;
            exercise(&data);
        }
    }
    let mut rng = SmallRng::seed_from_u64(seed.len() as u64);
    for _ in 0..20_000 {
        let mut data = seed.to_vec();
        let from = rng.random_range(0..data.len());
        rng.fill_bytes(&mut data[from..]);
        exercise(&data);
    }
}

/// Writes headers bit by bit.
#[derive(Default)]
pub(super) struct BitWriter {
    bits: Vec<bool>,
}

impl BitWriter {
    pub fn put(&mut self, count: u32, value: u64) -> &mut BitWriter {
        self.bits.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    pub fn ue(&mut self, value: u32) -> &mut BitWriter {
        let code = u64::from(value) + 1;
        let zeros = code.ilog2();
        self.put(zeros, 0).put(zeros + 1, code)
    }

    pub fn se(&mut self, value: i32) -> &mut BitWriter {
        self.ue(if value > 0 { 2 * value as u32 - 1 } else { 2 * value.unsigned_abs() })
    }

    /// With the stop bit.
    pub fn bytes(&mut self) -> Vec<u8> {
        self.bits.push(true);
        let byte =
            |bits: &[bool]| bits.iter().enumerate().fold(0, |b, (i, &bit)| b | u8::from(bit) << (7 - i));
        self.bits.chunks(8).map(byte).collect()
    }
}

#[test]
fn names_of_sdp() {
    for (name, codec) in [
        ("H264", CodecName::H264),
        ("h265", CodecName::H265),
        ("VP8", CodecName::Vp8),
        ("VP9", CodecName::Vp9),
        ("AV1", CodecName::Av1),
        ("opus", CodecName::Opus),
        ("red", CodecName::Red),
        ("rtx", CodecName::Other),
        ("", CodecName::Other),
    ] {
        assert_eq!(CodecName::from_sdp(name), codec, "{name}");
    }
}

#[test]
fn sound_and_unknown_tell_nothing() {
    for codec in [CodecName::Opus, CodecName::Red, CodecName::Other, CodecName::H265] {
        assert_eq!(inspect(codec, &[0x67, 0x42, 0xc0, 0x28, 0xda]), FrameInfo::default());
    }
}

#[test]
fn empty_payloads_tell_nothing() {
    for codec in VIDEO {
        assert_eq!(inspect(codec, &[]), FrameInfo::default());
    }
}

#[test]
fn errors_each_happen() {
    assert_eq!(crate::codec::vp8::Descriptor::parse(&[]), Err(CodecError::TooShort));
    assert_eq!(crate::codec::vp9::Descriptor::parse(&[0x50, 3, 3, 3, 3]), Err(CodecError::Invalid));
    assert_ne!(CodecError::TooShort.to_string(), CodecError::Invalid.to_string());
}

#[test]
fn random_input_never_panics() {
    let mut rng = SmallRng::seed_from_u64(6184);
    let mut data = [0u8; 64];
    for _ in 0..100_000 {
        let len = rng.random_range(0..=data.len());
        rng.fill_bytes(&mut data[..len]);
        for codec in VIDEO {
            let info = inspect(codec, &data[..len]);
            assert!(info.keyframe || !info.keyframe_start);
        }
    }
}
