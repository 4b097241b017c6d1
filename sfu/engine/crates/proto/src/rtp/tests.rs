use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

fn packet(padding: bool, extensions: &[(u8, &[u8])], tail: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_header(&mut out, true, 111, 0xfffe, 0x8000_0001, 0xdead_beef, padding, extensions);
    out.extend_from_slice(tail);
    out
}

fn exercise(data: &[u8]) {
    if let Ok(header) = Header::parse(data) {
        assert!(header.header_len <= data.len());
        if let Ok(payload) = header.payload(data) {
            assert!(header.header_len + payload.len() <= data.len());
        }
        let total: usize = header.extensions(data).map(|(_, value)| value.len() + 1).sum();
        assert!(total <= data.len());
    }
}

#[test]
fn what_is_written_is_read() {
    let data = packet(false, &[(3, b"abc"), (14, b"x")], b"payload");
    let header = Header::parse(&data).unwrap();
    assert!(header.marker && !header.has_padding);
    assert_eq!((header.payload_type, header.sequence), (111, 0xfffe));
    assert_eq!((header.timestamp, header.ssrc), (0x8000_0001, 0xdead_beef));
    assert_eq!(header.extension, Some(ExtensionRange { profile: 0xbede, start: 16, end: 24 }));
    assert_eq!(header.extensions(&data).collect::<Vec<_>>(), [(3, &b"abc"[..]), (14, &b"x"[..])]);
    assert_eq!(header.payload(&data).unwrap(), b"payload");
}

#[test]
fn two_byte_form_only_where_needed() {
    for (extensions, profile) in [
        (vec![(14, vec![1; 16])], 0xbede),
        (vec![(15, vec![1])], 0x1000),
        (vec![(1, vec![1; 17])], 0x1000),
        (vec![(1, vec![])], 0x1000),
        (vec![(255, vec![7; 255]), (1, vec![2])], 0x1000),
    ] {
        let borrowed: Vec<(u8, &[u8])> = extensions.iter().map(|(id, v)| (*id, v.as_slice())).collect();
        let data = packet(false, &borrowed, b"p");
        let header = Header::parse(&data).unwrap();
        assert_eq!(header.extension.unwrap().profile, profile);
        assert_eq!(header.extensions(&data).collect::<Vec<_>>(), borrowed);
        assert_eq!(header.payload(&data).unwrap(), b"p");
    }
}

#[test]
fn without_extensions_the_header_is_fixed() {
    let data = packet(false, &[], b"");
    assert_eq!(data.len(), FIXED_HEADER_LEN);
    let header = Header::parse(&data).unwrap();
    assert_eq!((header.extension, header.payload(&data)), (None, Ok(&b""[..])));
}

#[test]
fn csrcs_are_skipped() {
    let mut data = packet(false, &[], b"");
    data[0] |= 15;
    data.extend_from_slice(&[9; 60]);
    data.extend_from_slice(b"voice");
    let header = Header::parse(&data).unwrap();
    assert_eq!((header.header_len, header.payload(&data).unwrap()), (72, &b"voice"[..]));
}

#[test]
fn padding_is_removed_and_may_be_all() {
    let data = packet(true, &[], &[1, 2, 0, 0, 3]);
    assert_eq!(Header::parse(&data).unwrap().payload(&data).unwrap(), [1, 2]);
    let data = packet(true, &[], &[0, 0, 3]);
    assert_eq!(Header::parse(&data).unwrap().payload(&data).unwrap(), []);
}

#[test]
fn lying_padding_is_an_error() {
    for tail in [&[1, 2, 0][..], &[1, 4, 4][..], &[255][..], &[][..]] {
        let data = packet(true, &[], tail);
        assert_eq!(Header::parse(&data).unwrap().payload(&data), Err(RtpError::Padding), "{tail:?}");
    }
}

#[test]
fn malformed_extensions_stop_the_iteration() {
    let data = packet(false, &[(1, b"a"), (2, b"b")], b"");
    let parsed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut data = data.clone();
        change(&mut data);
        Header::parse(&data).unwrap().extensions(&data).map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(parsed(&|_| ()), [1, 2]);
    assert_eq!(parsed(&|d| d[18] = 0xf0), [1]);
    assert_eq!(parsed(&|d| d[18] = 0x04), [1]);
    assert_eq!(parsed(&|d| d[18] = 0x21), [1]);
    assert_eq!(parsed(&|d| d[16] = 0x17), [0u8; 0]);
    assert_eq!(parsed(&|d| d[12] = 0x77), [0u8; 0]);
}

#[test]
fn errors_each_happen() {
    assert_eq!(Header::parse(&[0x80; 11]), Err(RtpError::TooShort));
    assert_eq!(Header::parse(&[0x40; 12]), Err(RtpError::Version(1)));
    assert_eq!(Header::parse(&[0x8f; 12]), Err(RtpError::TooShort));
    assert_eq!(Header::parse(&[0x90; 16]), Err(RtpError::TooShort));
    assert_eq!(RtpError::Version(1).to_string(), "RTP version 1");
}

#[test]
fn truncation_and_flips_never_panic() {
    for data in [
        packet(true, &[(3, b"abc"), (14, b"x")], &[5, 0, 2]),
        packet(true, &[(15, b"abc"), (200, b"")], &[5, 0, 2]),
    ] {
        for len in 0..=data.len() {
            exercise(&data[..len]);
        }
        for at in 0..data.len() {
            for value in 0..=255 {
                let mut data = data.clone();
                data[at] = value;
                exercise(&data);
            }
        }
    }
}

#[test]
fn random_input_never_panics() {
    let mut rng = SmallRng::seed_from_u64(8285);
    let mut data = [0u8; 96];
    for _ in 0..100_000 {
        let len = rng.random_range(0..=data.len());
        rng.fill_bytes(&mut data[..len]);
        if len > 13 && rng.random() {
            data[0] = 0x80 | (data[0] & 0x3f);
            data[12..14].copy_from_slice(if rng.random() { &[0xbe, 0xde] } else { &[0x10, 0] });
        }
        exercise(&data[..len]);
    }
}
