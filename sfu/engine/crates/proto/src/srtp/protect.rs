use super::{Profile, SrtpError};

/// Protects what we send with one master key.
pub struct Protector {}

impl Protector {
    /// `key_and_salt`: master key, then master salt.
    pub fn new(_profile: Profile, _key_and_salt: &[u8]) -> Result<Protector, SrtpError> {
        todo!()
    }

    /// Protects in place the RTP packet that begins at `start` and ends at the end of `packet`, and
    /// appends the tag. `header_len` counts from `start`. `index` is the 48-bit packet index (rollover
    /// counter << 16 | sequence); the caller never gives the same one twice for an SSRC.
    pub fn protect_rtp(&self, _packet: &mut Vec<u8>, _start: usize, _header_len: usize, _index: u64) {
        todo!()
    }

    /// Protects in place the RTCP packet that begins at `start` and ends at the end of `packet`, and
    /// appends index and tag. The index is our own and rises with every packet, whatever its SSRC.
    pub fn protect_rtcp(&mut self, _packet: &mut Vec<u8>, _start: usize) {
        todo!()
    }
}
