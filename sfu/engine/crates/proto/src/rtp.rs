//! RTP packets: fixed header (RFC 3550 section 5.1) and header extensions (RFC 8285).

use std::fmt;

/// Bytes of the fixed header.
pub const FIXED_HEADER_LEN: usize = 12;
const ONE_BYTE_PROFILE: u16 = 0xbede;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RtpError {
    /// Shorter than the header that it announces.
    TooShort,
    /// The version is not 2.
    Version(u8),
    /// The padding count is zero or larger than what follows the header.
    Padding,
}

impl fmt::Display for RtpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RtpError::TooShort => write!(f, "RTP packet shorter than its header"),
            RtpError::Version(version) => write!(f, "RTP version {version}"),
            RtpError::Padding => write!(f, "RTP padding count that does not fit"),
        }
    }
}

impl std::error::Error for RtpError {}

/// Where the extension's elements lie, in bytes from the start of the packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtensionRange {
    /// The "defined by profile" field: 0xBEDE, or 0x1000 to 0x100F, for RFC 8285.
    pub profile: u16,
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub marker: bool,
    pub payload_type: u8,
    pub sequence: u16,
    pub timestamp: u32,
    pub ssrc: u32,
    /// Bytes up to the payload: fixed header, CSRCs and extension.
    pub header_len: usize,
    pub extension: Option<ExtensionRange>,
    pub has_padding: bool,
}

fn u16_at(data: &[u8], at: usize) -> Result<u16, RtpError> {
    match data.get(at..at + 2) {
        Some(&[a, b]) => Ok(u16::from_be_bytes([a, b])),
        _ => Err(RtpError::TooShort),
    }
}

fn u32_at(data: &[u8], at: usize) -> Result<u32, RtpError> {
    match data.get(at..at + 4) {
        Some(&[a, b, c, d]) => Ok(u32::from_be_bytes([a, b, c, d])),
        _ => Err(RtpError::TooShort),
    }
}

impl Header {
    /// Reads the header only, so that it works on an SRTP packet too; padding is looked at by
    /// [`Header::payload`].
    pub fn parse(data: &[u8]) -> Result<Header, RtpError> {
        if data.len() < FIXED_HEADER_LEN {
            return Err(RtpError::TooShort);
        }
        let version = data[0] >> 6;
        if version != 2 {
            return Err(RtpError::Version(version));
        }
        let mut header_len = FIXED_HEADER_LEN + 4 * usize::from(data[0] & 0x0f);
        let mut extension = None;
        if data[0] & 0x10 != 0 {
            let profile = u16_at(data, header_len)?;
            let start = header_len + 4;
            let end = start + 4 * usize::from(u16_at(data, header_len + 2)?);
            extension = Some(ExtensionRange { profile, start, end });
            header_len = end;
        }
        if header_len > data.len() {
            return Err(RtpError::TooShort);
        }
        Ok(Header {
            marker: data[1] & 0x80 != 0,
            payload_type: data[1] & 0x7f,
            sequence: u16_at(data, 2)?,
            timestamp: u32_at(data, 4)?,
            ssrc: u32_at(data, 8)?,
            header_len,
            extension,
            has_padding: data[0] & 0x20 != 0,
        })
    }

    /// The payload of the packet `data` that this header was parsed from, without padding. Empty if
    /// the packet is padding only.
    pub fn payload<'a>(&self, data: &'a [u8]) -> Result<&'a [u8], RtpError> {
        let body = data.get(self.header_len..).ok_or(RtpError::TooShort)?;
        if !self.has_padding {
            return Ok(body);
        }
        let padding = usize::from(*body.last().ok_or(RtpError::Padding)?);
        if padding == 0 || padding > body.len() {
            return Err(RtpError::Padding);
        }
        Ok(&body[..body.len() - padding])
    }

    /// The header extensions of `data` in the order they stand in: (id, value). Stops at the first
    /// malformed element; none for a profile that RFC 8285 does not define.
    pub fn extensions<'a>(&self, data: &'a [u8]) -> ExtensionIter<'a> {
        let Some(range) = self.extension else { return ExtensionIter { rest: &[], two_byte: false } };
        let two_byte = range.profile & 0xfff0 == 0x1000;
        let known = two_byte || range.profile == ONE_BYTE_PROFILE;
        let rest = if known { data.get(range.start..range.end).unwrap_or(&[]) } else { &[] };
        ExtensionIter { rest, two_byte }
    }
}

#[derive(Clone, Debug)]
pub struct ExtensionIter<'a> {
    rest: &'a [u8],
    two_byte: bool,
}

impl<'a> Iterator for ExtensionIter<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        loop {
            let (&first, rest) = self.rest.split_first()?;
            // A zero byte between elements is padding (RFC 8285 section 4.1).
            if first == 0 {
                self.rest = rest;
                continue;
            }
            let (id, len, rest) = if self.two_byte {
                let Some((&len, rest)) = rest.split_first() else {
                    self.rest = &[];
                    return None;
                };
                (first, usize::from(len), rest)
            } else {
                (first >> 4, usize::from(first & 0x0f) + 1, rest)
            };
            // RFC 8285 section 4.2: id 15 ends the list, id 0 with a length is malformed.
            let ends = !self.two_byte && (id == 15 || id == 0);
            if ends || len > rest.len() {
                self.rest = &[];
                return None;
            }
            let (value, rest) = rest.split_at(len);
            self.rest = rest;
            return Some((id, value));
        }
    }
}

/// Appends a header without CSRCs to `out`. Extensions (id 1 to 255, at most 255 bytes) take the
/// one-byte form if every id is 1 to 14 and every value 1 to 16 bytes long, else the two-byte form
/// (RFC 8285 sections 4.2 and 4.3). With `padding` the caller appends payload and padding.
#[allow(clippy::too_many_arguments)]
pub fn write_header(
    out: &mut Vec<u8>,
    marker: bool,
    payload_type: u8,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    padding: bool,
    extensions: &[(u8, &[u8])],
) {
    let extension_bit = if extensions.is_empty() { 0 } else { 0x10 };
    out.push(0x80 | if padding { 0x20 } else { 0 } | extension_bit);
    out.push(if marker { 0x80 } else { 0 } | (payload_type & 0x7f));
    out.extend_from_slice(&sequence.to_be_bytes());
    out.extend_from_slice(&timestamp.to_be_bytes());
    out.extend_from_slice(&ssrc.to_be_bytes());
    if extensions.is_empty() {
        return;
    }
    let one_byte = extensions.iter().all(|(id, v)| (1..=14).contains(id) && (1..=16).contains(&v.len()));
    let profile = if one_byte { ONE_BYTE_PROFILE } else { 0x1000 };
    out.extend_from_slice(&profile.to_be_bytes());
    let length_at = out.len();
    out.extend_from_slice(&[0, 0]);
    for &(id, value) in extensions {
        debug_assert!(id != 0 && value.len() <= 255);
        if one_byte {
            out.push(id << 4 | (value.len() - 1) as u8);
        } else {
            out.extend_from_slice(&[id, value.len() as u8]);
        }
        out.extend_from_slice(value);
    }
    let start = length_at + 2;
    out.resize(start + (out.len() - start).next_multiple_of(4), 0);
    let words = ((out.len() - start) / 4) as u16;
    out[length_at..start].copy_from_slice(&words.to_be_bytes());
}

#[cfg(test)]
mod tests;
