use super::*;
use rand::rngs::SmallRng;
use rand::{Rng, RngCore, SeedableRng};

const KEY: &[u8] = b"VOkJxbRl1RmTxUk/WvJxBt";

/// RFC 5769 section 2.1.
const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74\
    002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020\
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";
/// RFC 5769 section 2.2.
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";
/// RFC 5769 section 2.3.
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220\
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9\
    00080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn request() -> Vec<u8> {
    let mut out = b"before".to_vec();
    BindingRequest {
        transaction_id: *b"transaction!",
        username: "abcd:efg",
        key: KEY,
        priority: 0x7e00_00ff,
        controlling: Some(0x0102_0304_0506_0708),
        use_candidate: true,
    }
    .write(&mut out);
    out.split_off(6)
}

fn exercise(data: &[u8]) {
    is_stun(data);
    if let Ok(message) = Message::parse(data) {
        let _ = (message.class(), message.username(), message.error_code(), message.xor_mapped_address());
        assert!(message.method() < 0x1000);
        message.verify_integrity(KEY);
        message.fingerprint_ok();
    }
}

#[test]
fn sample_request_of_rfc_5769() {
    let data = hex(REQUEST);
    assert!(is_stun(&data));
    let message = Message::parse(&data).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, BINDING));
    assert_eq!(message.transaction_id()[..4], [0xb7, 0xe7, 0xa7, 0x01]);
    assert_eq!(message.username(), Some("evtj:h6vY"));
    assert_eq!(message.priority(), Some(0x6e00_01ff));
    assert_eq!((message.controlling(), message.controlled()), (None, Some(0x932f_f9b1_5126_3b36)));
    assert!(!message.has_use_candidate());
    assert!(message.verify_integrity(KEY) && message.fingerprint_ok());
    assert!(!message.verify_integrity(b"another key"));
}

#[test]
fn sample_responses_of_rfc_5769() {
    for (text, address) in
        [(RESPONSE_V4, "192.0.2.1:32853"), (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let data = hex(text);
        let message = Message::parse(&data).unwrap();
        assert_eq!((message.class(), message.method()), (Class::Success, BINDING));
        assert_eq!(message.xor_mapped_address(), Some(address.parse().unwrap()));
        assert!(message.verify_integrity(KEY) && message.fingerprint_ok());
    }
}

#[test]
fn a_written_request_is_read() {
    let data = request();
    let message = Message::parse(&data).unwrap();
    assert_eq!((message.class(), message.method()), (Class::Request, BINDING));
    assert_eq!(message.transaction_id(), *b"transaction!");
    assert_eq!(message.username(), Some("abcd:efg"));
    assert_eq!(message.priority(), Some(0x7e00_00ff));
    assert_eq!((message.controlling(), message.controlled()), (Some(0x0102_0304_0506_0708), None));
    assert!(message.has_use_candidate() && message.verify_integrity(KEY) && message.fingerprint_ok());

    let mut out = Vec::new();
    let controlled = BindingRequest {
        transaction_id: [1; 12],
        username: "a:b",
        key: KEY,
        priority: 1,
        controlling: None,
        use_candidate: false,
    };
    controlled.write(&mut out);
    let message = Message::parse(&out).unwrap();
    assert_eq!((message.controlling(), message.controlled()), (None, Some(0)));
    assert!(!message.has_use_candidate());
}

#[test]
fn a_written_success_names_the_address() {
    for (given, read) in [
        ("192.0.2.1:1", "192.0.2.1:1"),
        ("[::ffff:192.0.2.1]:65535", "192.0.2.1:65535"),
        ("[2001:db8::1]:7882", "[2001:db8::1]:7882"),
    ] {
        let mut out = Vec::new();
        write_binding_success(&mut out, [7; 12], given.parse().unwrap(), KEY);
        let message = Message::parse(&out).unwrap();
        assert_eq!(message.class(), Class::Success);
        assert_eq!(message.xor_mapped_address(), Some(read.parse().unwrap()));
        assert!(message.verify_integrity(KEY) && message.fingerprint_ok());
    }
}

#[test]
fn a_written_error_names_the_code() {
    for key in [None, Some(KEY)] {
        let mut out = Vec::new();
        write_binding_error(&mut out, [7; 12], 487, &"ö".repeat(99), key);
        let message = Message::parse(&out).unwrap();
        assert_eq!((message.class(), message.error_code()), (Class::Error, Some(487)));
        assert_eq!(message.verify_integrity(KEY), key.is_some());
        assert!(message.fingerprint_ok());
    }
}

#[test]
fn every_class_and_method_is_told_apart() {
    for (kind, class, method) in [
        (0x0001u16, Class::Request, 1),
        (0x0011, Class::Indication, 1),
        (0x0101, Class::Success, 1),
        (0x0111, Class::Error, 1),
        (0x3eef, Class::Request, 0xfff),
        (0x0003, Class::Request, 3),
    ] {
        let mut data = hex(REQUEST);
        data[..2].copy_from_slice(&kind.to_be_bytes());
        let message = Message::parse(&data).unwrap();
        assert_eq!((message.class(), message.method()), (class, method));
    }
}

/// Appends an attribute and corrects the message's length.
fn append(data: &mut Vec<u8>, kind: u16, value: &[u8]) {
    data.extend_from_slice(&kind.to_be_bytes());
    data.extend_from_slice(&(value.len() as u16).to_be_bytes());
    data.extend_from_slice(value);
    let len = (data.len() - HEADER_LEN) as u16;
    data[2..4].copy_from_slice(&len.to_be_bytes());
}

#[test]
fn nothing_unprotected_counts() {
    let mut data = request();
    data.truncate(data.len() - 8);
    append(&mut data, attribute::XOR_MAPPED_ADDRESS, &[0, 1, 0, 0, 0, 0, 0, 0]);
    append(&mut data, attribute::ICE_CONTROLLED, &[0; 8]);
    let message = Message::parse(&data).unwrap();
    assert_eq!((message.xor_mapped_address(), message.controlled()), (None, None));
    assert!(message.verify_integrity(KEY));
}

#[test]
fn a_fingerprint_must_be_right_and_last() {
    let mut data = request();
    *data.last_mut().unwrap() ^= 1;
    assert!(!Message::parse(&data).unwrap().fingerprint_ok());
    let mut data = request();
    append(&mut data, 0xc057, &[0, 0, 0, 1]);
    assert!(!Message::parse(&data).unwrap().fingerprint_ok());
    let mut data = request();
    data.truncate(data.len() - 8);
    let len = (data.len() - HEADER_LEN) as u16;
    data[2..4].copy_from_slice(&len.to_be_bytes());
    assert!(Message::parse(&data).unwrap().fingerprint_ok());
}

#[test]
fn errors_each_happen() {
    let parsed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut data = hex(REQUEST);
        change(&mut data);
        Message::parse(&data).err()
    };
    assert_eq!(parsed(&|_| ()), None);
    assert_eq!(parsed(&|d| d.truncate(19)), Some(StunError::Length));
    assert_eq!(parsed(&|d| d.push(0)), Some(StunError::Length));
    assert_eq!(parsed(&|d| d[3] = 0x57), Some(StunError::Length));
    assert_eq!(parsed(&|d| d[0] = 0x80), Some(StunError::NotStun));
    assert_eq!(parsed(&|d| d[4] = 0), Some(StunError::NotStun));
    assert_eq!(parsed(&|d| d[22] = 0xff), Some(StunError::Attribute));
    assert_eq!(parsed(&|d| d[43] = 3), Some(StunError::Attribute));
    for (kind, value) in [
        (attribute::PRIORITY, &[1, 2, 3, 4, 5, 6, 7, 8][..]),
        (attribute::ICE_CONTROLLING, &[0; 4]),
        (attribute::XOR_MAPPED_ADDRESS, &[0, 3, 0, 0, 0, 0, 0, 0]),
        (attribute::XOR_MAPPED_ADDRESS, &[0, 2, 0, 0, 0, 0, 0, 0]),
        (attribute::ERROR_CODE, &[0, 0, 2, 0]),
        (attribute::MESSAGE_INTEGRITY, &[0; 16]),
        (attribute::FINGERPRINT, &[0; 8]),
    ] {
        let mut data = hex(REQUEST)[..HEADER_LEN].to_vec();
        append(&mut data, kind, value);
        assert_eq!(Message::parse(&data).err(), Some(StunError::Attribute), "{kind:#x}");
    }
    assert!(!StunError::Attribute.to_string().is_empty());
}

#[test]
fn no_flip_of_a_protected_byte_passes() {
    let data = request();
    for at in 0..data.len() - 8 {
        let mut data = data.clone();
        data[at] ^= 0x55;
        // The length before the digest is computed anew, so it is caught by the parser alone.
        assert!(!Message::parse(&data).is_ok_and(|m| m.verify_integrity(KEY)), "{at}");
    }
}

#[test]
fn truncation_and_flips_never_panic() {
    for data in [request(), hex(REQUEST), hex(RESPONSE_V6)] {
        for len in 0..=data.len() {
            exercise(&data[..len]);
            let mut cut = data[..len].to_vec();
            if len >= HEADER_LEN {
                cut[2..4].copy_from_slice(&((len - HEADER_LEN) as u16).to_be_bytes());
            }
            exercise(&cut);
        }
        for at in 0..data.len() {
            for value in (0..=255).step_by(3) {
                let mut data = data.clone();
                data[at] = value;
                exercise(&data);
            }
        }
    }
}

#[test]
fn random_input_never_panics() {
    let mut rng = SmallRng::seed_from_u64(8489);
    let mut data = [0u8; 128];
    for _ in 0..100_000 {
        let len = rng.random_range(0..=data.len() / 4) * 4;
        rng.fill_bytes(&mut data[..len]);
        if len >= 24 && rng.random() {
            data[0] &= 0x3f;
            data[2..4].copy_from_slice(&((len - HEADER_LEN) as u16).to_be_bytes());
            data[4..8].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
            let kinds = [6, 8, 9, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802a];
            let kind: u16 = kinds[rng.random_range(0..kinds.len())];
            data[20..22].copy_from_slice(&kind.to_be_bytes());
            data[22..24].copy_from_slice(&rng.random_range(0..24u16).to_be_bytes());
        }
        exercise(&data[..len]);
    }
}
