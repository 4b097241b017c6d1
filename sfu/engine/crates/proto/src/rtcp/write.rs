//! Each writer appends whole packets; appending several makes a compound packet.

use super::{ReportBlock, SenderInfo};

/// The count field has five bits.
const MAX_COUNT: usize = 31;

fn begin(out: &mut Vec<u8>, count: u8, packet_type: u8) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0x80 | count, packet_type, 0, 0]);
    start
}

fn put(out: &mut Vec<u8>, word: u32) {
    out.extend_from_slice(&word.to_be_bytes());
}

/// Fills in the length: in words, less one (RFC 3550 section 6.4.1).
fn end(out: &mut [u8], start: usize) {
    let words = (out.len() - start) / 4 - 1;
    out[start + 2..start + 4].copy_from_slice(&(words as u16).to_be_bytes());
}

fn put_blocks(out: &mut Vec<u8>, blocks: &[ReportBlock]) {
    for block in blocks {
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        put(out, block.ssrc);
        put(out, u32::from(block.fraction_lost) << 24 | lost);
        put(out, block.highest);
        put(out, block.jitter);
        put(out, block.last_sr);
        put(out, block.delay_since_sr);
    }
}

/// Appends a sender report (RFC 3550 section 6.4.1); blocks past 31 go into receiver reports after
/// it (section 6.1).
pub fn write_sr(out: &mut Vec<u8>, ssrc: u32, info: SenderInfo, blocks: &[ReportBlock]) {
    let (first, more) = blocks.split_at(blocks.len().min(MAX_COUNT));
    let start = begin(out, first.len() as u8, 200);
    put(out, ssrc);
    out.extend_from_slice(&info.ntp.to_be_bytes());
    put(out, info.rtp_time);
    put(out, info.packets);
    put(out, info.octets);
    put_blocks(out, first);
    end(out, start);
    if !more.is_empty() {
        write_rr(out, ssrc, more);
    }
}

/// Appends a receiver report (RFC 3550 section 6.4.2), or several of 31 blocks each.
pub fn write_rr(out: &mut Vec<u8>, ssrc: u32, blocks: &[ReportBlock]) {
    let mut rest = blocks;
    loop {
        let (first, more) = rest.split_at(rest.len().min(MAX_COUNT));
        let start = begin(out, first.len() as u8, 201);
        put(out, ssrc);
        put_blocks(out, first);
        end(out, start);
        rest = more;
        if rest.is_empty() {
            return;
        }
    }
}

/// Appends a source description (RFC 3550 section 6.5) of one CNAME, cut at 255 bytes.
pub fn write_sdes_cname(out: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let mut len = cname.len().min(255);
    while !cname.is_char_boundary(len) {
        len -= 1;
    }
    let start = begin(out, 1, 202);
    put(out, ssrc);
    out.extend_from_slice(&[1, len as u8]);
    out.extend_from_slice(&cname.as_bytes()[..len]);
    // One zero byte ends the items, more fill the word.
    out.resize(start + (out.len() + 1 - start).next_multiple_of(4), 0);
    end(out, start);
}

/// Appends a generic NACK (RFC 4585 section 6.2.1). `lost` rises in wrap order.
pub fn write_nack(out: &mut Vec<u8>, sender: u32, media: u32, lost: &[u16]) {
    let start = begin(out, 1, 205);
    put(out, sender);
    put(out, media);
    let mut rest = lost.iter().copied().peekable();
    while let Some(pid) = rest.next() {
        let mut blp = 0u16;
        while let Some(bit) = rest.peek().map(|s| s.wrapping_sub(pid)).filter(|&ahead| ahead <= 16) {
            // A number given twice is asked for once.
            blp |= 1u16.checked_shl(u32::from(bit.wrapping_sub(1))).unwrap_or(0);
            rest.next();
        }
        put(out, u32::from(pid) << 16 | u32::from(blp));
    }
    end(out, start);
}

/// Appends a picture loss indication (RFC 4585 section 6.3.1).
pub fn write_pli(out: &mut Vec<u8>, sender: u32, media: u32) {
    let start = begin(out, 1, 206);
    put(out, sender);
    put(out, media);
    end(out, start);
}

/// Appends a full intra request for one source (RFC 5104 section 4.3.1).
pub fn write_fir(out: &mut Vec<u8>, sender: u32, media: u32, seq: u8) {
    let start = begin(out, 4, 206);
    put(out, sender);
    // The media source is in the entry; here it is zero (section 4.3.1.2).
    put(out, 0);
    put(out, media);
    put(out, u32::from(seq) << 24);
    end(out, start);
}

/// Appends a receiver estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 section 2.2) for at
/// most 255 sources.
pub fn write_remb(out: &mut Vec<u8>, sender: u32, bitrate_bps: u64, ssrcs: &[u32]) {
    let ssrcs = &ssrcs[..ssrcs.len().min(255)];
    let start = begin(out, 15, 206);
    put(out, sender);
    put(out, 0);
    out.extend_from_slice(b"REMB");
    // The mantissa has 18 bits; what is shifted out rounds down.
    let exponent = (64 - bitrate_bps.leading_zeros()).saturating_sub(18);
    put(out, (ssrcs.len() as u32) << 24 | exponent << 18 | (bitrate_bps >> exponent) as u32);
    for &ssrc in ssrcs {
        put(out, ssrc);
    }
    end(out, start);
}

/// Appends a goodbye (RFC 3550 section 6.6), or several of 31 sources each.
pub fn write_bye(out: &mut Vec<u8>, ssrcs: &[u32]) {
    for sources in ssrcs.chunks(MAX_COUNT) {
        let start = begin(out, sources.len() as u8, 203);
        for &ssrc in sources {
            put(out, ssrc);
        }
        end(out, start);
    }
}
