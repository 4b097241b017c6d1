use super::keys::{Place, Session, Stream, RTCP_HEADER_LEN};
use super::{Profile, SrtpError};

/// Protects what we send with one master key.
pub struct Protector {
    rtp: Session,
    rtcp: Session,
    /// 31 bits; the index of the next RTCP packet.
    rtcp_index: u32,
}

impl Protector {
    /// `key_and_salt`: master key, then master salt.
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Result<Protector, SrtpError> {
        Ok(Protector {
            rtp: Session::derive(profile, Stream::Rtp, key_and_salt)?,
            rtcp: Session::derive(profile, Stream::Rtcp, key_and_salt)?,
            rtcp_index: 0,
        })
    }

    #[cfg(test)]
    pub(super) fn from_sessions(rtp: Session, rtcp: Session, rtcp_index: u32) -> Protector {
        Protector { rtp, rtcp, rtcp_index }
    }

    /// Ask for what `protect_rtp` will look at.
    pub fn prefetch(&self) {
        self.rtp.prefetch();
    }

    /// Protects in place the RTP packet that begins at `start` and ends at the end of `packet`, and
    /// appends the tag. `header_len` counts from `start`. `index` is the 48-bit packet index (rollover
    /// counter << 16 | sequence); the caller never gives the same one twice for an SSRC.
    ///
    /// # Panics
    /// If there is no RTP header of `header_len` bytes at `start`.
    pub fn protect_rtp(&self, packet: &mut Vec<u8>, start: usize, header_len: usize, index: u64) {
        debug_assert!(index >> 48 == 0);
        let data = &mut packet[start..];
        let ssrc = u32::from_be_bytes([data[8], data[9], data[10], data[11]]);
        let tag = self.rtp.seal(Place::rtp(ssrc, index), data, header_len);
        packet.extend_from_slice(&tag[..self.rtp.tag_len()]);
    }

    /// Protects in place the RTCP packet that begins at `start` and ends at the end of `packet`, and
    /// appends index and tag. The index is our own and rises with every packet, whatever its SSRC.
    /// After 2^31 packets the key is spent (RFC 3711 section 9.2; 3.4 years at 20 packets/s): then
    /// nothing may leave, and the packet is taken away from the end of `packet`.
    ///
    /// # Panics
    /// If there is no RTCP header at `start`.
    pub fn protect_rtcp(&mut self, packet: &mut Vec<u8>, start: usize) {
        if self.rtcp_index >> 31 != 0 {
            packet.truncate(start);
            return;
        }
        let data = &mut packet[start..];
        let ssrc = u32::from_be_bytes([data[4], data[5], data[6], data[7]]);
        let place = Place::rtcp(ssrc, self.rtcp_index);
        self.rtcp_index += 1;
        let tag = self.rtcp.seal(place, data, RTCP_HEADER_LEN);
        let tag = &tag[..self.rtcp.tag_len()];
        let (first, second) =
            if self.rtcp.index_before_tag() { (&place.trailer[..], tag) } else { (tag, &place.trailer[..]) };
        packet.extend_from_slice(first);
        packet.extend_from_slice(second);
    }
}
