//! SRTP and SRTCP (RFC 3711) with AES-CM and HMAC-SHA1 or with AES-GCM (RFC 7714), keyed by DTLS
//! (RFC 5764).

mod gcm;
mod keys;
mod protect;
mod replay;
#[cfg(test)]
mod tests;
mod unprotect;

use std::fmt;

pub use protect::Protector;
pub use unprotect::{Unprotected, Unprotector};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SrtpError {
    /// Too short to hold header and tag.
    TooShort,
    /// The tag is wrong.
    Authentication,
    /// Seen before, or too old to know.
    Replay,
    /// Authentic, but there is no room for another SSRC.
    TooManySsrcs,
    /// Key and salt are not as long as the profile says.
    BadKey,
    /// SRTCP whose E flag says that it is not encrypted.
    Unencrypted,
}

impl fmt::Display for SrtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SrtpError::TooShort => "SRTP packet too short",
            SrtpError::Authentication => "SRTP authentication failed",
            SrtpError::Replay => "SRTP packet replayed or too old",
            SrtpError::TooManySsrcs => "too many SSRCs in one SRTP session",
            SrtpError::BadKey => "SRTP key of a wrong length",
            SrtpError::Unencrypted => "SRTCP packet not encrypted",
        })
    }
}

impl std::error::Error for SrtpError {}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    Aes128CmSha1_80,
    AeadAes128Gcm,
    AeadAes256Gcm,
}

impl Profile {
    /// By its name in OpenSSL and RFC 5764 section 4.1.2 (`SRTP_AES128_CM_SHA1_80`, also with
    /// `AES128_CM_HMAC`) or RFC 7714 section 14.2.
    pub fn from_dtls_name(name: &str) -> Option<Profile> {
        match name {
            "SRTP_AES128_CM_SHA1_80" | "SRTP_AES128_CM_HMAC_SHA1_80" => Some(Profile::Aes128CmSha1_80),
            "SRTP_AEAD_AES_128_GCM" => Some(Profile::AeadAes128Gcm),
            "SRTP_AEAD_AES_256_GCM" => Some(Profile::AeadAes256Gcm),
            _ => None,
        }
    }

    /// Bytes of the master key.
    pub const fn key_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 | Profile::AeadAes128Gcm => 16,
            Profile::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    pub const fn salt_len(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 => 14,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 12,
        }
    }

    /// Bytes that protection adds to an RTP packet: the tag.
    pub const fn rtp_overhead(self) -> usize {
        match self {
            Profile::Aes128CmSha1_80 => 10,
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => 16,
        }
    }

    /// Bytes that protection adds to an RTCP packet: the tag and the index.
    pub const fn rtcp_overhead(self) -> usize {
        self.rtp_overhead() + 4
    }
}
