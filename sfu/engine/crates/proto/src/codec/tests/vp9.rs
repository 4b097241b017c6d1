use super::super::vp9::{inspect, Descriptor};
use super::*;

/// I, L, B, V, not flexible; 15 bits 0x0102; TID 0, SID 0; TL0PICIDX 7; two layers of sizes, a group of
/// two pictures with one and two references; then a byte of the frame.
fn structured() -> Vec<u8> {
    vec![
        0xaa, 0x81, 0x02, 0x00, 7, 0x38, 0x01, 0x40, 0x00, 0xb4, 0x02, 0x80, 0x01, 0x68, 2, 0x04, 1, 0x08, 1,
        2, 0xee,
    ]
}

#[test]
fn every_field_is_read() {
    let expected = Descriptor {
        picture_id: Some((0x0102, 1, true)),
        inter_predicted: false,
        flexible: false,
        start: true,
        end: false,
        tid: Some(0),
        sid: Some(0),
        tl0picidx: Some((7, 4)),
        size: Some((640, 360)),
        header_len: 20,
    };
    assert_eq!(Descriptor::parse(&structured()), Ok(expected));
    // I, P, L, F, E: 7-bit picture id, TID 2, SID 1, two references.
    let d = Descriptor::parse(&[0xf4, 0x7f, 0x52, 0x03, 0x04, 0xee]).unwrap();
    assert_eq!((d.picture_id, d.tid, d.sid), (Some((0x7f, 1, false)), Some(2), Some(1)));
    assert!(d.inter_predicted && d.flexible && d.end && !d.start);
    assert_eq!((d.tl0picidx, d.header_len), (None, 5));
}

#[test]
fn keyframes_begin_with_the_lowest_layer() {
    let start =
        FrameInfo { keyframe_start: true, keyframe: true, size: Some((640, 360)), discardable: false };
    assert_eq!(inspect(&structured()), start);
    let mut payload = structured();
    payload[3] = 0x02;
    assert_eq!(inspect(&payload), FrameInfo { keyframe_start: false, ..start });
    payload[0] &= !0x08;
    assert_eq!(inspect(&payload), FrameInfo { keyframe_start: false, ..start });
    payload[0] |= 0x40;
    assert_eq!(inspect(&payload), FrameInfo { keyframe_start: false, keyframe: false, ..start });
    assert!(inspect(&[0x08, 0xee]).keyframe_start);
}

#[test]
fn malformed_payloads_never_panic() {
    for seed in [structured(), vec![0xf4, 0x7f, 0x52, 0x03, 0x04, 0xee]] {
        torment(&seed, |data| {
            inspect(data);
            if let Ok(d) = Descriptor::parse(data) {
                assert!(d.header_len <= data.len());
            }
        });
    }
}
