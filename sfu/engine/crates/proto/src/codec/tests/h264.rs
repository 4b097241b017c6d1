use super::super::h264::{inspect, parse_sps};
use super::*;

/// Of libx264: 1080p, baseline, 4:4:4, interlaced, 4:2:2, grey.
const REAL: [(&str, (u32, u32)); 6] = [
    ("6742c028da01e0089f9610000003001000000303c8f1832a", (1920, 1080)),
    ("6742c01eda0280bfe584000003000400000300f23c58ba80", (640, 360)),
    ("67f4000d91968150878f8f84000003000400000300f23c50aa80", (322, 242)),
    ("674d401ff405a12684000003000400000300f27c58ba80", (720, 576)),
    ("677a001fbcb402802dd080000003008000001e478c1950", (1280, 720)),
    ("67640033f2d00780087d08000003000800000301e478c195", (3840, 2160)),
];

fn stap_a(nals: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![0x78];
    for nal in nals {
        out.extend_from_slice(&(nal.len() as u16).to_be_bytes());
        out.extend_from_slice(nal);
    }
    out
}

fn flags(payload: &[u8]) -> (bool, bool, bool) {
    let info = inspect(payload);
    (info.keyframe_start, info.keyframe, info.discardable)
}

#[test]
fn sizes_of_real_parameter_sets() {
    for (sps, size) in REAL {
        let sps = hex(sps);
        assert_eq!(parse_sps(&sps[1..]), Ok(size));
        assert_eq!(
            inspect(&sps),
            FrameInfo { keyframe_start: true, keyframe: true, size: Some(size), discardable: false }
        );
    }
}

#[test]
fn scaling_lists_and_order_types_are_passed_over() {
    for (chroma, lists) in [(1, 8), (2, 8), (3, 12)] {
        for order_type in 0..3 {
            let mut sps = BitWriter::default();
            sps.put(8, 244).put(16, 31).ue(0).ue(chroma);
            if chroma == 3 {
                sps.put(1, 0);
            }
            sps.ue(0).ue(0).put(1, 0).put(1, 1);
            for list in 0..lists {
                match list % 3 {
                    0 => sps.put(1, 0),
                    // The default list: the next scale is zero at once.
                    1 => sps.put(1, 1).se(-8),
                    _ => (0..if list < 6 { 16 } else { 64 }).fold(sps.put(1, 1), |s, i| s.se(i % 5 - 1)),
                };
            }
            sps.ue(0).ue(order_type);
            match order_type {
                0 => sps.ue(2),
                1 => sps.put(1, 0).se(-7).se(7).ue(2).se(1).se(-1),
                _ => &mut sps,
            };
            // 5 x 3 macroblocks, 2 luma columns cut left and right, progressive.
            sps.ue(1).put(1, 0).ue(4).ue(2).put(1, 1).put(1, 1).put(1, 1);
            sps.ue(1).ue(1).ue(0).ue(0).put(1, 0);
            let cut = if chroma == 3 { 2 } else { 4 };
            assert_eq!(parse_sps(&escape(&sps.bytes())), Ok((80 - cut, 48)), "{chroma} {order_type}");
        }
    }
}

fn escape(data: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    for &byte in data {
        if byte <= 3 && out.ends_with(&[0, 0]) {
            out.push(3);
        }
        out.push(byte);
    }
    out
}

#[test]
fn impossible_sizes_are_refused() {
    let sps = |columns: u32, crop: u32| {
        let mut sps = BitWriter::default();
        sps.put(8, 66).put(16, 31).ue(0).ue(0).ue(2).ue(1).put(1, 0).ue(columns).ue(0).put(3, 7);
        sps.ue(0).ue(crop).ue(0).ue(0);
        parse_sps(&escape(&sps.bytes()))
    };
    assert_eq!(sps(0, 0), Ok((16, 16)));
    assert_eq!(sps(1023, 0), Ok((16_384, 16)));
    for (columns, crop) in [(1024, 0), (u32::MAX - 1, 0), (0, 8), (0, u32::MAX - 1)] {
        assert_eq!(sps(columns, crop), Err(CodecError::Invalid), "{columns} {crop}");
    }
    assert_eq!(parse_sps(&hex(REAL[0].0)[1..8]), Err(CodecError::TooShort));
}

#[test]
fn single_units() {
    assert_eq!(flags(&[0x65, 0x88, 0x84]), (true, true, false));
    // A later slice of an IDR picture.
    assert_eq!(flags(&[0x65, 0x40]), (false, true, false));
    assert_eq!(flags(&[0x68, 0xce]), (false, false, false));
    assert_eq!(flags(&[0x06, 5]), (false, false, false));
    assert_eq!(flags(&[0x41, 0x9a]), (false, false, false));
    assert_eq!(flags(&[0x01, 0x9a]), (false, false, true));
}

#[test]
fn aggregates_are_looked_into() {
    let sps = hex(REAL[1].0);
    assert_eq!(inspect(&stap_a(&[&sps, &[0x68, 0xce]])).size, Some((640, 360)));
    assert_eq!(flags(&stap_a(&[&[0x06, 5], &sps])), (true, true, false));
    assert_eq!(flags(&stap_a(&[&[0x68, 0xce], &[0x06, 5]])), (false, false, false));
    assert_eq!(flags(&stap_a(&[&[0x68, 0xce], &[0x65, 0x88]])), (true, true, false));
    assert_eq!(flags(&stap_a(&[&[], &[0x01, 0x9a]])), (false, false, true));
    assert_eq!(flags(&[0x78, 0xff, 0xff, 0x67]), (false, false, false));
}

#[test]
fn fragments_begin_once() {
    assert_eq!(flags(&[0x7c, 0x85, 0x88]), (true, true, false));
    assert_eq!(flags(&[0x7c, 0x05, 0x88]), (false, true, false));
    assert_eq!(flags(&[0x7c, 0x45, 0x88]), (false, true, false));
    assert_eq!(flags(&[0x7c, 0x81, 0x9a]), (false, false, false));
    assert_eq!(flags(&[0x1c, 0x81, 0x9a]), (false, false, true));
    assert_eq!(flags(&[0x1c, 0x01, 0x9a]), (false, false, true));
    assert_eq!(flags(&[0x7c]), (false, false, false));
}

#[test]
fn malformed_payloads_never_panic() {
    let sps = hex(REAL[4].0);
    for seed in [sps.clone(), stap_a(&[&sps, &[0x68, 0xce], &[0x65, 0x88]]), vec![0x7c, 0x85, 0x88, 1]] {
        torment(&seed, |data| {
            inspect(data);
        });
    }
}
