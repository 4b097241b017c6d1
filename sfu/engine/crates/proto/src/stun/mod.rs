//! STUN messages (RFC 8489) as far as ICE needs them (RFC 8445).

mod write;

use std::fmt;
use std::net::SocketAddr;

pub use write::{write_binding_error, write_binding_success, BindingRequest};

/// The Binding method.
pub const BINDING: u16 = 1;

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
    /// An attribute reaches past the end of the message.
    Attribute,
}

impl fmt::Display for StunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StunError::Length => write!(f, "STUN message of a wrong length"),
            StunError::NotStun => write!(f, "not a STUN message"),
            StunError::Attribute => write!(f, "STUN attribute past the end of the message"),
        }
    }
}

impl std::error::Error for StunError {}

/// Whether a datagram looks like STUN: first two bits zero and the magic cookie (RFC 8489 section 5).
pub fn is_stun(_data: &[u8]) -> bool {
    todo!()
}

/// A parsed message. Of an attribute that stands more than once the first counts (RFC 8489 section
/// 14), and nothing after MESSAGE-INTEGRITY counts but FINGERPRINT (section 14.5).
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    data: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn parse(_data: &'a [u8]) -> Result<Message<'a>, StunError> {
        todo!()
    }

    pub fn class(&self) -> Class {
        let _ = self.data;
        todo!()
    }

    pub fn method(&self) -> u16 {
        todo!()
    }

    pub fn transaction_id(&self) -> [u8; 12] {
        todo!()
    }

    /// USERNAME, if it is there and UTF-8.
    pub fn username(&self) -> Option<&'a str> {
        todo!()
    }

    pub fn has_use_candidate(&self) -> bool {
        todo!()
    }

    pub fn priority(&self) -> Option<u32> {
        todo!()
    }

    /// The tie-breaker of ICE-CONTROLLING.
    pub fn controlling(&self) -> Option<u64> {
        todo!()
    }

    /// The tie-breaker of ICE-CONTROLLED.
    pub fn controlled(&self) -> Option<u64> {
        todo!()
    }

    pub fn xor_mapped_address(&self) -> Option<SocketAddr> {
        todo!()
    }

    /// 300 to 699.
    pub fn error_code(&self) -> Option<u16> {
        todo!()
    }

    /// Whether MESSAGE-INTEGRITY (SHA-1) is there and right for `key`. Constant time in the digest.
    pub fn verify_integrity(&self, _key: &[u8]) -> bool {
        todo!()
    }

    /// Whether FINGERPRINT is absent or right.
    pub fn fingerprint_ok(&self) -> bool {
        todo!()
    }
}
