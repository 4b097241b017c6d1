use super::super::vp8::{inspect, rewrite, Descriptor};
use super::*;

/// A frame of libvpx, 322x180.
const KEYFRAME: &str = "7010009d012a4201b4000047";

fn all_fields() -> Vec<u8> {
    // X, N, S; I, L, T, K; 15 bits 0x1234; TL0PICIDX 9; TID 2, Y, KEYIDX 3
    let mut payload = vec![0xb0, 0xf0, 0x92, 0x34, 9, 0xa3];
    payload.extend(hex(KEYFRAME));
    payload
}

#[test]
fn every_field_is_read() {
    let d = Descriptor::parse(&all_fields()).unwrap();
    let expected = Descriptor {
        start: true,
        non_reference: true,
        picture_id: Some((0x1234, 2, true)),
        tl0picidx: Some((9, 4)),
        tid: Some(2),
        layer_sync: true,
        keyidx: Some(3),
        header_len: 6,
    };
    assert_eq!(d, expected);
    let d = Descriptor::parse(&[0x80, 0xc0, 0x7f, 8]).unwrap();
    assert_eq!((d.picture_id, d.tl0picidx, d.header_len), (Some((0x7f, 2, false)), Some((8, 3)), 4));
    let d = Descriptor::parse(&[0x80, 0x10, 0xff]).unwrap();
    assert_eq!((d.tid, d.keyidx, d.layer_sync), (None, Some(31), false));
}

#[test]
fn keyframes_and_their_size() {
    let with = |descriptor: &[u8]| inspect(&[descriptor, &hex(KEYFRAME)].concat());
    let start =
        FrameInfo { keyframe_start: true, keyframe: true, size: Some((322, 180)), discardable: false };
    assert_eq!(with(&[0x10]), start);
    assert_eq!(inspect(&all_fields()), FrameInfo { discardable: true, ..start });
    // Another packet of the frame, another partition, an inter frame.
    assert_eq!(with(&[0x00]), FrameInfo::default());
    assert_eq!(with(&[0x11]), FrameInfo::default());
    assert_eq!(inspect(&[0x10, 0x71, 0x09, 0, 5, 0x10, 0xac]), FrameInfo::default());
    assert_eq!(inspect(&[0x10]), FrameInfo::default());
    // Scaling hints are no part of the size.
    let mut scaled = [&[0x10][..], &hex(KEYFRAME)].concat();
    scaled[8] |= 0xc0;
    assert_eq!(inspect(&scaled), start);
}

#[test]
fn rewriting_keeps_the_width() {
    let mut payload = all_fields();
    let d = Descriptor::parse(&payload).unwrap();
    rewrite(&mut payload, &d, 0x7fff, 0xff);
    let after = Descriptor::parse(&payload).unwrap();
    assert_eq!((after.picture_id, after.tl0picidx), (Some((0x7fff, 2, true)), Some((0xff, 4))));
    assert_eq!(payload[5..], all_fields()[5..]);

    let mut payload = [0x80, 0xc0, 0x01, 8, 0xaa];
    let d = Descriptor::parse(&payload).unwrap();
    rewrite(&mut payload, &d, 0x1285, 9);
    assert_eq!(payload, [0x80, 0xc0, 0x05, 9, 0xaa]);

    let mut payload = [0x10, 0xaa];
    let d = Descriptor::parse(&payload).unwrap();
    rewrite(&mut payload, &d, 1, 2);
    assert_eq!(payload, [0x10, 0xaa]);
}

#[test]
fn malformed_payloads_never_panic() {
    torment(&all_fields(), |data| {
        inspect(data);
        if let Ok(d) = Descriptor::parse(data) {
            assert!(d.header_len <= data.len());
            rewrite(&mut data.to_vec(), &d, 0xffff, 0xff);
            rewrite(&mut [0; 2], &d, 0xffff, 0xff);
        }
    });
}
