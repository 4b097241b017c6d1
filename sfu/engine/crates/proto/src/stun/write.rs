use super::{
    attribute, crc, integrity, xor_pad, BINDING, FINGERPRINT_XOR, HEADER_LEN, INTEGRITY_LEN, MAGIC_COOKIE,
};
use std::net::{IpAddr, SocketAddr};

const REQUEST: u16 = BINDING;
const SUCCESS: u16 = BINDING | 0x0100;
const ERROR: u16 = BINDING | 0x0110;

/// A connectivity check (RFC 8445 section 7.2).
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    pub transaction_id: [u8; 12],
    /// Remote ufrag, colon, local ufrag.
    pub username: &'a str,
    /// The remote password.
    pub key: &'a [u8],
    pub priority: u32,
    /// Our tie-breaker as the controlling agent; without it we are the controlled one.
    pub controlling: Option<u64>,
    pub use_candidate: bool,
}

impl BindingRequest<'_> {
    /// Appends the request with MESSAGE-INTEGRITY and FINGERPRINT.
    pub fn write(&self, out: &mut Vec<u8>) {
        let start = begin(out, REQUEST, self.transaction_id);
        put(out, attribute::USERNAME, self.username.as_bytes());
        put(out, attribute::PRIORITY, &self.priority.to_be_bytes());
        match self.controlling {
            Some(tie_breaker) => put(out, attribute::ICE_CONTROLLING, &tie_breaker.to_be_bytes()),
            None => put(out, attribute::ICE_CONTROLLED, &[0; 8]),
        }
        if self.use_candidate {
            put(out, attribute::USE_CANDIDATE, &[]);
        }
        put_integrity(out, start, self.key);
        put_fingerprint(out, start);
    }
}

/// Appends the answer with XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and FINGERPRINT. An IPv4-mapped IPv6
/// address is written as IPv4.
pub fn write_binding_success(out: &mut Vec<u8>, transaction_id: [u8; 12], mapped: SocketAddr, key: &[u8]) {
    let start = begin(out, SUCCESS, transaction_id);
    let port = (mapped.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
    match mapped.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut value = [0, 1, port[0], port[1], 0, 0, 0, 0];
            value[4..].copy_from_slice(&(u32::from(ip) ^ MAGIC_COOKIE).to_be_bytes());
            put(out, attribute::XOR_MAPPED_ADDRESS, &value);
        }
        IpAddr::V6(ip) => {
            let mut value = [0; 20];
            value[1] = 2;
            value[2..4].copy_from_slice(&port);
            value[4..].copy_from_slice(&(u128::from(ip) ^ xor_pad(transaction_id)).to_be_bytes());
            put(out, attribute::XOR_MAPPED_ADDRESS, &value);
        }
    }
    put_integrity(out, start, key);
    put_fingerprint(out, start);
}

/// Appends an error answer with ERROR-CODE (`code` 300 to 699), FINGERPRINT and, given a key,
/// MESSAGE-INTEGRITY. `reason` is cut at 127 bytes.
pub fn write_binding_error(
    out: &mut Vec<u8>,
    transaction_id: [u8; 12],
    code: u16,
    reason: &str,
    key: Option<&[u8]>,
) {
    debug_assert!((300..700).contains(&code));
    let start = begin(out, ERROR, transaction_id);
    let mut len = reason.len().min(127);
    while !reason.is_char_boundary(len) {
        len -= 1;
    }
    let mut value = [0; 4 + 127];
    value[2] = (code / 100) as u8;
    value[3] = (code % 100) as u8;
    value[4..4 + len].copy_from_slice(&reason.as_bytes()[..len]);
    put(out, attribute::ERROR_CODE, &value[..4 + len]);
    if let Some(key) = key {
        put_integrity(out, start, key);
    }
    put_fingerprint(out, start);
}

fn begin(out: &mut Vec<u8>, kind: u16, transaction_id: [u8; 12]) -> usize {
    let start = out.len();
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&MAGIC_COOKIE.to_be_bytes());
    out.extend_from_slice(&transaction_id);
    start
}

fn put(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value);
    out.resize(out.len() + value.len().next_multiple_of(4) - value.len(), 0);
}

/// Sets the length to what it is when `more` bytes have followed: both digests cover it so.
fn set_len(out: &mut [u8], start: usize, more: usize) {
    let len = (out.len() - start - HEADER_LEN + more) as u16;
    out[start + 2..start + 4].copy_from_slice(&len.to_be_bytes());
}

fn put_integrity(out: &mut Vec<u8>, start: usize, key: &[u8]) {
    set_len(out, start, 4 + INTEGRITY_LEN);
    let digest = integrity(key, [&out[start..], &[], &[]]);
    put(out, attribute::MESSAGE_INTEGRITY, digest.as_ref());
}

fn put_fingerprint(out: &mut Vec<u8>, start: usize) {
    set_len(out, start, 8);
    let fingerprint = crc::crc32(&out[start..]) ^ FINGERPRINT_XOR;
    put(out, attribute::FINGERPRINT, &fingerprint.to_be_bytes());
}
