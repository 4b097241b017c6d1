//! STUN messages (RFC 8489) as far as ICE needs them (RFC 8445).

mod crc;
#[cfg(test)]
mod tests;
mod write;

use aws_lc_rs::{constant_time, hmac};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use write::{write_binding_error, write_binding_success, BindingRequest};

/// The Binding method.
pub const BINDING: u16 = 1;

const HEADER_LEN: usize = 20;
const MAGIC_COOKIE: u32 = 0x2112_a442;
/// XORed with the CRC, so that it differs from other CRC-32s in the packet (RFC 8489 section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554e;
const INTEGRITY_LEN: usize = 20;

/// Attribute types (RFC 8489 section 18.3, RFC 8445 section 16.1).
mod attribute {
    pub const USERNAME: u16 = 0x0006;
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    pub const ERROR_CODE: u16 = 0x0009;
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    pub const PRIORITY: u16 = 0x0024;
    pub const USE_CANDIDATE: u16 = 0x0025;
    pub const FINGERPRINT: u16 = 0x8028;
    pub const ICE_CONTROLLED: u16 = 0x8029;
    pub const ICE_CONTROLLING: u16 = 0x802a;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Request,
    Indication,
    Success,
    Error,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StunError {
    /// Shorter than the header, or of another length than it announces.
    Length,
    /// The first two bits or the magic cookie are not STUN's.
    NotStun,
    /// An attribute reaches past the end of the message, or has a form that its type forbids.
    Attribute,
}

impl fmt::Display for StunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StunError::Length => write!(f, "STUN message of a wrong length"),
            StunError::NotStun => write!(f, "not a STUN message"),
            StunError::Attribute => write!(f, "malformed STUN attribute"),
        }
    }
}

impl std::error::Error for StunError {}

/// Whether a datagram looks like STUN: first two bits zero and the magic cookie (RFC 8489 section 5).
pub fn is_stun(data: &[u8]) -> bool {
    data.len() >= HEADER_LEN && data[0] & 0xc0 == 0 && data[4..8] == MAGIC_COOKIE.to_be_bytes()
}

/// A parsed message. Of an attribute that stands more than once the first counts (RFC 8489 section
/// 14), and nothing after MESSAGE-INTEGRITY counts but FINGERPRINT (section 14.5). Attributes that
/// are not asked for below are ignored.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    data: &'a [u8],
    username: Option<&'a [u8]>,
    use_candidate: bool,
    priority: Option<u32>,
    controlling: Option<u64>,
    controlled: Option<u64>,
    xor_mapped_address: Option<SocketAddr>,
    error_code: Option<u16>,
    /// Where the attributes begin, their type and length included.
    integrity_at: Option<usize>,
    fingerprint_at: Option<usize>,
}

impl<'a> Message<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Message<'a>, StunError> {
        if data.len() < HEADER_LEN {
            return Err(StunError::Length);
        }
        if !is_stun(data) {
            return Err(StunError::NotStun);
        }
        let len = usize::from(u16::from_be_bytes([data[2], data[3]]));
        if len % 4 != 0 || len != data.len() - HEADER_LEN {
            return Err(StunError::Length);
        }
        let mut message = Message {
            data,
            username: None,
            use_candidate: false,
            priority: None,
            controlling: None,
            controlled: None,
            xor_mapped_address: None,
            error_code: None,
            integrity_at: None,
            fingerprint_at: None,
        };
        let mut at = HEADER_LEN;
        while let Some(&[t1, t0, l1, l0]) = data.get(at..at + 4) {
            let len = usize::from(u16::from_be_bytes([l1, l0]));
            let value = data.get(at + 4..at + 4 + len).ok_or(StunError::Attribute)?;
            message.read(u16::from_be_bytes([t1, t0]), value, at).ok_or(StunError::Attribute)?;
            at += 4 + len.next_multiple_of(4);
        }
        Ok(message)
    }

    /// `None` if the value has a form that its type forbids.
    fn read(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        if kind == attribute::FINGERPRINT {
            (value.len() == 4).then_some(())?;
            self.fingerprint_at.get_or_insert(at);
            return Some(());
        }
        if self.integrity_at.is_some() {
            return Some(());
        }
        match kind {
            attribute::USERNAME => {
                self.username.get_or_insert(value);
            }
            attribute::USE_CANDIDATE => self.use_candidate = true,
            attribute::PRIORITY => {
                self.priority.get_or_insert(u32::from_be_bytes(value.try_into().ok()?));
            }
            attribute::ICE_CONTROLLING => {
                self.controlling.get_or_insert(u64::from_be_bytes(value.try_into().ok()?));
            }
            attribute::ICE_CONTROLLED => {
                self.controlled.get_or_insert(u64::from_be_bytes(value.try_into().ok()?));
            }
            attribute::XOR_MAPPED_ADDRESS => {
                self.xor_mapped_address.get_or_insert(xor_address(value, self.transaction_id())?);
            }
            attribute::ERROR_CODE => {
                let &[_, _, class, number, ..] = value else { return None };
                let class = class & 0x07;
                ((3..=6).contains(&class) && number < 100).then_some(())?;
                self.error_code.get_or_insert(u16::from(class) * 100 + u16::from(number));
            }
            attribute::MESSAGE_INTEGRITY => {
                (value.len() == INTEGRITY_LEN).then_some(())?;
                self.integrity_at = Some(at);
            }
            _ => (),
        }
        Some(())
    }

    pub fn class(&self) -> Class {
        match (self.data[0] & 1, self.data[1] & 0x10) {
            (0, 0) => Class::Request,
            (0, _) => Class::Indication,
            (_, 0) => Class::Success,
            _ => Class::Error,
        }
    }

    /// The method's twelve bits, without the two class bits between them (RFC 8489 section 5).
    pub fn method(&self) -> u16 {
        let kind = u16::from_be_bytes([self.data[0], self.data[1]]);
        kind & 0x000f | (kind & 0x00e0) >> 1 | (kind & 0x3e00) >> 2
    }

    pub fn transaction_id(&self) -> [u8; 12] {
        let mut id = [0; 12];
        id.copy_from_slice(&self.data[8..HEADER_LEN]);
        id
    }

    /// USERNAME, if it is there and UTF-8.
    pub fn username(&self) -> Option<&'a str> {
        self.username.and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    pub fn has_use_candidate(&self) -> bool {
        self.use_candidate
    }

    pub fn priority(&self) -> Option<u32> {
        self.priority
    }

    /// The tie-breaker of ICE-CONTROLLING.
    pub fn controlling(&self) -> Option<u64> {
        self.controlling
    }

    /// The tie-breaker of ICE-CONTROLLED.
    pub fn controlled(&self) -> Option<u64> {
        self.controlled
    }

    pub fn xor_mapped_address(&self) -> Option<SocketAddr> {
        self.xor_mapped_address
    }

    /// 300 to 699.
    pub fn error_code(&self) -> Option<u16> {
        self.error_code
    }

    /// Whether MESSAGE-INTEGRITY (SHA-1) is there and right for `key`. Constant time in the digest.
    pub fn verify_integrity(&self, key: &[u8]) -> bool {
        let Some(at) = self.integrity_at else { return false };
        let value = &self.data[at + 4..at + 4 + INTEGRITY_LEN];
        // The digest covers a length that ends with MESSAGE-INTEGRITY, whatever follows it (RFC 8489
        // section 14.5).
        let len = (at + 4 + INTEGRITY_LEN - HEADER_LEN) as u16;
        let digest = integrity(key, [&self.data[..2], &len.to_be_bytes(), &self.data[4..at]]);
        constant_time::verify_slices_are_equal(digest.as_ref(), value).is_ok()
    }

    /// Whether FINGERPRINT is absent, or right and the last attribute.
    pub fn fingerprint_ok(&self) -> bool {
        let Some(at) = self.fingerprint_at else { return true };
        let expected = crc::crc32(&self.data[..at]) ^ FINGERPRINT_XOR;
        self.data[at + 4..] == expected.to_be_bytes()
    }
}

fn integrity(key: &[u8], parts: [&[u8]; 3]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key));
    for part in parts {
        context.update(part);
    }
    context.sign()
}

/// RFC 8489 section 14.2: the port is XORed with the upper half of the cookie, the address with
/// cookie and transaction id.
fn xor_address(value: &[u8], transaction_id: [u8; 12]) -> Option<SocketAddr> {
    let &[_, family, p1, p0, ref address @ ..] = value else { return None };
    let port = u16::from_be_bytes([p1, p0]) ^ (MAGIC_COOKIE >> 16) as u16;
    let ip = match family {
        1 => IpAddr::V4(Ipv4Addr::from(u32::from_be_bytes(address.try_into().ok()?) ^ MAGIC_COOKIE)),
        2 => {
            let pad = xor_pad(transaction_id);
            IpAddr::V6(Ipv6Addr::from(u128::from_be_bytes(address.try_into().ok()?) ^ pad))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn xor_pad(transaction_id: [u8; 12]) -> u128 {
    let mut pad = [0; 16];
    pad[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    pad[4..].copy_from_slice(&transaction_id);
    u128::from_be_bytes(pad)
}
