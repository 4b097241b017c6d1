//! Each writer appends one whole packet; appending several makes a compound packet.

use super::{ReportBlock, SenderInfo};

/// Appends a sender report (RFC 3550 section 6.4.1) with at most 31 blocks.
pub fn write_sr(_out: &mut Vec<u8>, _ssrc: u32, _info: SenderInfo, _blocks: &[ReportBlock]) {
    todo!()
}

/// Appends a receiver report (RFC 3550 section 6.4.2) with at most 31 blocks.
pub fn write_rr(_out: &mut Vec<u8>, _ssrc: u32, _blocks: &[ReportBlock]) {
    todo!()
}

/// Appends a source description (RFC 3550 section 6.5) of one CNAME, cut at 255 bytes.
pub fn write_sdes_cname(_out: &mut Vec<u8>, _ssrc: u32, _cname: &str) {
    todo!()
}

/// Appends a generic NACK (RFC 4585 section 6.2.1). `lost` rises in wrap order.
pub fn write_nack(_out: &mut Vec<u8>, _sender: u32, _media: u32, _lost: &[u16]) {
    todo!()
}

/// Appends a picture loss indication (RFC 4585 section 6.3.1).
pub fn write_pli(_out: &mut Vec<u8>, _sender: u32, _media: u32) {
    todo!()
}

/// Appends a full intra request for one source (RFC 5104 section 4.3.1).
pub fn write_fir(_out: &mut Vec<u8>, _sender: u32, _media: u32, _seq: u8) {
    todo!()
}

/// Appends a receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 section 2.2) for at
/// most 255 sources.
pub fn write_remb(_out: &mut Vec<u8>, _sender: u32, _bitrate_bps: u64, _ssrcs: &[u32]) {
    todo!()
}

/// Appends a goodbye (RFC 3550 section 6.6) of at most 31 sources.
pub fn write_bye(_out: &mut Vec<u8>, _ssrcs: &[u32]) {
    todo!()
}
