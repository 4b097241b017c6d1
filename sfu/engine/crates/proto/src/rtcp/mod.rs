//! RTCP packets: RFC 3550 section 6, feedback of RFC 4585 and RFC 5104, reduced size (RFC 5506), REMB
//! (draft-alvestrand-rmcat-remb-03).

mod parse;
#[cfg(test)]
mod tests;
mod write;

pub use parse::{parse, Blocks, Compound, FirIter, NackIter, RtcpError, Ssrcs};
pub use write::{
    write_bye, write_fir, write_nack, write_pli, write_remb, write_rr, write_sdes_cname, write_sr,
};

/// Whether a datagram that is RTP or RTCP is RTCP (RFC 5761 section 4): packet types 192 to 223.
pub fn is_rtcp(data: &[u8]) -> bool {
    data.len() >= 2 && (192..=223).contains(&data[1])
}

/// The sender's part of a sender report (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    /// NTP 32.32 seconds since 1900.
    pub ntp: u64,
    pub rtp_time: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says of one source (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Of the packets expected since the last report, in 1/256.
    pub fraction_lost: u8,
    /// 24 bits, signed: duplicates make it negative.
    pub cumulative_lost: i32,
    /// Extended highest sequence number: 16 bits of cycles, 16 of sequence.
    pub highest: u32,
    /// In units of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time, zero if there was none.
    pub last_sr: u32,
    /// In 1/65536 s.
    pub delay_since_sr: u32,
}

/// Transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1), its
/// chunks and deltas not yet read: see [`crate::twcc::parse_feedback`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransportCcRaw<'a> {
    pub sender: u32,
    pub media: u32,
    pub base_sequence: u16,
    pub packet_count: u16,
    /// 24 bits, signed, in units of 64 ms.
    pub reference_time: i32,
    pub feedback_count: u8,
    pub body: &'a [u8],
}

#[derive(Debug, Clone)]
pub enum Packet<'a> {
    SenderReport {
        ssrc: u32,
        info: SenderInfo,
        blocks: Blocks<'a>,
    },
    ReceiverReport {
        ssrc: u32,
        blocks: Blocks<'a>,
    },
    /// The chunks, unread.
    Sdes(&'a [u8]),
    Bye {
        ssrcs: Ssrcs<'a>,
    },
    Nack {
        sender: u32,
        media: u32,
        lost: NackIter<'a>,
    },
    Pli {
        sender: u32,
        media: u32,
    },
    Fir {
        sender: u32,
        entries: FirIter<'a>,
    },
    TransportCc(TransportCcRaw<'a>),
    Remb {
        sender: u32,
        bitrate_bps: u64,
        ssrcs: Ssrcs<'a>,
    },
    /// What follows the common header (RFC 3611), unread.
    Xr(&'a [u8]),
    /// Application defined, unknown types and unknown feedback formats.
    Other {
        packet_type: u8,
        format: u8,
    },
}
