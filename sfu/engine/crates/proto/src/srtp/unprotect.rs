use super::keys::{Place, Session, Stream, ENCRYPTED, RTCP_HEADER_LEN};
use super::replay::ReplayWindow;
use super::{Profile, SrtpError};
use crate::rtp;
use std::collections::HashMap;

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
pub struct Unprotector {
    rtp: Session,
    rtcp: Session,
    max_ssrcs: usize,
    /// By SSRC. Never forgotten: a forgotten one could be replayed.
    rtp_seen: HashMap<u32, ReplayWindow>,
    /// By the SSRC of the sender of the first packet in the compound.
    rtcp_seen: HashMap<u32, ReplayWindow>,
}

impl Unprotector {
    /// `key_and_salt`: master key, then master salt. At most `max_ssrcs` SSRCs of RTP and as many of
    /// RTCP are followed.
    pub fn new(profile: Profile, key_and_salt: &[u8], max_ssrcs: usize) -> Result<Unprotector, SrtpError> {
        Ok(Unprotector {
            rtp: Session::derive(profile, Stream::Rtp, key_and_salt)?,
            rtcp: Session::derive(profile, Stream::Rtcp, key_and_salt)?,
            max_ssrcs,
            rtp_seen: HashMap::new(),
            rtcp_seen: HashMap::new(),
        })
    }

    /// Decrypts `packet`, whose header was parsed to `header`, in place. After an error its payload is
    /// of no use. The first packet of an SSRC must come with rollover counter 0.
    pub fn unprotect_rtp(
        &mut self,
        packet: &mut [u8],
        header: &rtp::Header,
    ) -> Result<Unprotected, SrtpError> {
        let len = packet.len().checked_sub(self.rtp.tag_len()).ok_or(SrtpError::TooShort)?;
        if len < header.header_len {
            return Err(SrtpError::TooShort);
        }
        let seen = self.rtp_seen.get_mut(&header.ssrc);
        let index = match &seen {
            Some(window) => {
                let index = estimate_index(window.highest, header.sequence);
                window.check(index)?;
                index
            }
            None => u64::from(header.sequence),
        };
        let (packet, tag) = packet.split_at_mut(len);
        self.rtp.open(Place::rtp(header.ssrc, index), packet, header.header_len, tag)?;
        match seen {
            Some(window) => window.mark(index),
            None => admit(&mut self.rtp_seen, self.max_ssrcs, header.ssrc, index)?,
        }
        Ok(Unprotected { index, len })
    }

    /// Decrypts an SRTCP packet in place and returns the length of the RTCP packet.
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let tag_len = self.rtcp.tag_len();
        let len = packet.len().checked_sub(tag_len + 4).ok_or(SrtpError::TooShort)?;
        if len < RTCP_HEADER_LEN {
            return Err(SrtpError::TooShort);
        }
        let (packet, end) = packet.split_at_mut(len);
        let (word, tag) = if self.rtcp.index_before_tag() {
            end.split_at(4)
        } else {
            let (tag, word) = end.split_at(tag_len);
            (word, tag)
        };
        let word = u32::from_be_bytes([word[0], word[1], word[2], word[3]]);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let index = word & !ENCRYPTED;
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let seen = self.rtcp_seen.get_mut(&ssrc);
        if let Some(window) = &seen {
            window.check(u64::from(index))?;
        }
        self.rtcp.open(Place::rtcp(ssrc, index), packet, RTCP_HEADER_LEN, tag)?;
        match seen {
            Some(window) => window.mark(u64::from(index)),
            None => admit(&mut self.rtcp_seen, self.max_ssrcs, ssrc, u64::from(index))?,
        }
        Ok(len)
    }
}

fn admit(
    seen: &mut HashMap<u32, ReplayWindow>,
    max_ssrcs: usize,
    ssrc: u32,
    index: u64,
) -> Result<(), SrtpError> {
    if seen.len() >= max_ssrcs {
        return Err(SrtpError::TooManySsrcs);
    }
    seen.insert(ssrc, ReplayWindow::new(index));
    Ok(())
}

/// RFC 3711 section 3.3.1: the index nearest to the highest authentic one, never below rollover
/// counter 0 and never past 2^48, where the key is spent.
fn estimate_index(highest: u64, sequence: u16) -> u64 {
    let step = sequence.wrapping_sub(highest as u16) as i16;
    let index = highest.checked_add_signed(i64::from(step)).unwrap_or(u64::from(sequence));
    if index >> 48 == 0 {
        index
    } else {
        index - (1 << 16)
    }
}
