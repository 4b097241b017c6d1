use super::{Packet, ReportBlock, SenderInfo, TransportCcRaw};
use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtcpError {
    /// Shorter than a header, or than what the header announces.
    TooShort,
    /// The version is not 2.
    Version(u8),
    /// The padding count does not fit.
    Padding,
    /// A packet of this type is too short for its fixed part or for its count.
    Malformed(u8),
}

impl fmt::Display for RtcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RtcpError::TooShort => write!(f, "RTCP packet shorter than its length field"),
            RtcpError::Version(version) => write!(f, "RTCP version {version}"),
            RtcpError::Padding => write!(f, "RTCP padding count that does not fit"),
            RtcpError::Malformed(packet_type) => write!(f, "malformed RTCP packet of type {packet_type}"),
        }
    }
}

impl std::error::Error for RtcpError {}

/// The packets of a compound or reduced-size datagram, in order. Ends after the first error.
pub fn parse(data: &[u8]) -> Compound<'_> {
    Compound { rest: data }
}

#[derive(Debug, Clone)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<Packet<'a>, RtcpError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let result = self.read();
        if result.is_err() {
            self.rest = &[];
        }
        Some(result)
    }
}

impl<'a> Compound<'a> {
    fn read(&mut self) -> Result<Packet<'a>, RtcpError> {
        let &[first, packet_type, len_high, len_low, ..] = self.rest else { return Err(RtcpError::TooShort) };
        if first >> 6 != 2 {
            return Err(RtcpError::Version(first >> 6));
        }
        let len = 4 * (usize::from(u16::from_be_bytes([len_high, len_low])) + 1);
        let packet = self.rest.get(..len).ok_or(RtcpError::TooShort)?;
        self.rest = &self.rest[len..];
        let mut body = &packet[4..];
        if first & 0x20 != 0 {
            let padding = usize::from(*body.last().ok_or(RtcpError::Padding)?);
            if padding == 0 || padding > body.len() {
                return Err(RtcpError::Padding);
            }
            body = &body[..body.len() - padding];
        }
        read_packet(packet_type, first & 0x1f, body).ok_or(RtcpError::Malformed(packet_type))
    }
}

/// `format` is the count, subtype or feedback message type: the low five bits of the first byte.
fn read_packet(packet_type: u8, format: u8, body: &[u8]) -> Option<Packet<'_>> {
    let count = usize::from(format);
    Some(match packet_type {
        200 => {
            let info = SenderInfo {
                ntp: u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?),
                rtp_time: word(body, 12)?,
                packets: word(body, 16)?,
                octets: word(body, 20)?,
            };
            Packet::SenderReport { ssrc: word(body, 0)?, info, blocks: blocks(body, 24, count)? }
        }
        201 => Packet::ReceiverReport { ssrc: word(body, 0)?, blocks: blocks(body, 4, count)? },
        202 => Packet::Sdes(body),
        203 => Packet::Bye { ssrcs: Ssrcs { rest: body.get(..4 * count)? } },
        205 | 206 => {
            let (sender, media, fci) = (word(body, 0)?, word(body, 4)?, &body[8..]);
            match (packet_type, format) {
                (205, 1) => Packet::Nack { sender, media, lost: NackIter { rest: fci, pid: 0, mask: 0 } },
                (205, 15) => Packet::TransportCc(transport_cc(sender, media, fci)?),
                (206, 1) => Packet::Pli { sender, media },
                (206, 4) => Packet::Fir { sender, entries: FirIter { rest: fci } },
                (206, 15) if fci.starts_with(b"REMB") => remb(sender, fci)?,
                _ => Packet::Other { packet_type, format },
            }
        }
        207 => Packet::Xr(body),
        _ => Packet::Other { packet_type, format },
    })
}

fn transport_cc(sender: u32, media: u32, fci: &[u8]) -> Option<TransportCcRaw<'_>> {
    let (first, second) = (word(fci, 0)?, word(fci, 4)?);
    Some(TransportCcRaw {
        sender,
        media,
        base_sequence: (first >> 16) as u16,
        packet_count: first as u16,
        // An arithmetic shift extends the sign of the 24 bits.
        reference_time: second as i32 >> 8,
        feedback_count: second as u8,
        body: &fci[8..],
    })
}

/// Count 8 bits, exponent 6, mantissa 18; bitrate = mantissa * 2^exponent.
fn remb(sender: u32, fci: &[u8]) -> Option<Packet<'_>> {
    let field = word(fci, 4)?;
    let ssrcs = fci.get(8..8 + 4 * (field >> 24) as usize)?;
    let (exponent, mantissa) = (field >> 18 & 0x3f, u128::from(field & 0x3_ffff));
    let bitrate_bps = u64::try_from(mantissa << exponent).unwrap_or(u64::MAX);
    Some(Packet::Remb { sender, bitrate_bps, ssrcs: Ssrcs { rest: ssrcs } })
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    match data.get(at..at + 4) {
        Some(&[a, b, c, d]) => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

fn blocks(body: &[u8], at: usize, count: usize) -> Option<Blocks<'_>> {
    Some(Blocks { rest: body.get(at..at + BLOCK_LEN * count)? })
}

const BLOCK_LEN: usize = 24;

/// Report blocks.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.rest.split_at_checked(BLOCK_LEN)?;
        self.rest = rest;
        let losses = word(block, 4)?;
        Some(ReportBlock {
            ssrc: word(block, 0)?,
            fraction_lost: (losses >> 24) as u8,
            // Shifted up and back down: extends the sign of the 24 bits.
            cumulative_lost: (losses << 8) as i32 >> 8,
            highest: word(block, 8)?,
            jitter: word(block, 12)?,
            last_sr: word(block, 16)?,
            delay_since_sr: word(block, 20)?,
        })
    }
}

/// A list of SSRCs.
#[derive(Debug, Clone)]
pub struct Ssrcs<'a> {
    rest: &'a [u8],
}

impl Iterator for Ssrcs<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let ssrc = word(self.rest, 0)?;
        self.rest = &self.rest[4..];
        Some(ssrc)
    }
}

/// Lost sequence numbers, in the order the packet names them. A packet of the largest size names a
/// million: the reader bounds how many it serves.
#[derive(Debug, Clone)]
pub struct NackIter<'a> {
    rest: &'a [u8],
    pid: u16,
    /// What of the current pair is still to be given: bit n stands for `pid + n`.
    mask: u32,
}

impl Iterator for NackIter<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            let pair = word(self.rest, 0)?;
            self.rest = &self.rest[4..];
            self.pid = (pair >> 16) as u16;
            self.mask = (pair & 0xffff) << 1 | 1;
        }
        let bit = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.pid.wrapping_add(bit as u16))
    }
}

/// (SSRC, command sequence number) of each source asked.
#[derive(Debug, Clone)]
pub struct FirIter<'a> {
    rest: &'a [u8],
}

impl Iterator for FirIter<'_> {
    type Item = (u32, u8);

    fn next(&mut self) -> Option<(u32, u8)> {
        let (entry, rest) = self.rest.split_at_checked(8)?;
        self.rest = rest;
        Some((word(entry, 0)?, entry[4]))
    }
}
