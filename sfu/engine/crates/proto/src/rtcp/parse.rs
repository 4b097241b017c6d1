use super::{Packet, ReportBlock};
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
        let _ = self.rest;
        todo!()
    }
}

/// Report blocks.
#[derive(Debug, Clone)]
pub struct Blocks<'a> {
    rest: &'a [u8],
}

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;
    fn next(&mut self) -> Option<ReportBlock> {
        let _ = self.rest;
        todo!()
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
        let _ = self.rest;
        todo!()
    }
}

/// Lost sequence numbers.
#[derive(Debug, Clone)]
pub struct NackIter<'a> {
    rest: &'a [u8],
}

impl Iterator for NackIter<'_> {
    type Item = u16;
    fn next(&mut self) -> Option<u16> {
        let _ = self.rest;
        todo!()
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
        let _ = self.rest;
        todo!()
    }
}
