use super::{Profile, SrtpError};
use crate::rtp;

/// An RTP packet that passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unprotected {
    /// 48-bit packet index: rollover counter << 16 | sequence.
    pub index: u64,
    /// Bytes of header and payload; what follows in the buffer was the tag.
    pub len: usize,
}

/// Checks and decrypts what a peer sends with one master key. What it knows of an SSRC (rollover
/// counter, replay window of 1,024 packets) begins and changes only with authentic packets.
pub struct Unprotector {}

impl Unprotector {
    /// `key_and_salt`: master key, then master salt. At most `max_ssrcs` SSRCs of RTP and as many of
    /// RTCP are followed.
    pub fn new(_profile: Profile, _key_and_salt: &[u8], _max_ssrcs: usize) -> Result<Unprotector, SrtpError> {
        todo!()
    }

    /// Decrypts `packet`, whose header was parsed to `header`, in place. After an error its payload is
    /// of no use.
    pub fn unprotect_rtp(
        &mut self,
        _packet: &mut [u8],
        _header: &rtp::Header,
    ) -> Result<Unprotected, SrtpError> {
        todo!()
    }

    /// Decrypts an SRTCP packet in place and returns the length of the RTCP packet.
    pub fn unprotect_rtcp(&mut self, _packet: &mut [u8]) -> Result<usize, SrtpError> {
        todo!()
    }
}
