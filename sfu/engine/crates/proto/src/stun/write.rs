use std::net::SocketAddr;

/// A connectivity check (RFC 8445 section 7.2).
#[derive(Debug, Clone, Copy)]
pub struct BindingRequest<'a> {
    pub transaction_id: [u8; 12],
    /// Remote ufrag, colon, local ufrag.
    pub username: &'a str,
    /// The remote password.
    pub key: &'a [u8],
    pub priority: u32,
    /// Our tie-breaker as the controlling agent; without it we are the controlled one.
    pub controlling: Option<u64>,
    pub use_candidate: bool,
}

impl BindingRequest<'_> {
    /// Appends the request with MESSAGE-INTEGRITY and FINGERPRINT.
    pub fn write(&self, _out: &mut Vec<u8>) {
        todo!()
    }
}

/// Appends the answer with XOR-MAPPED-ADDRESS, MESSAGE-INTEGRITY and FINGERPRINT. An IPv4-mapped IPv6
/// address is written as IPv4.
pub fn write_binding_success(
    _out: &mut Vec<u8>,
    _transaction_id: [u8; 12],
    _mapped: SocketAddr,
    _key: &[u8],
) {
    todo!()
}

/// Appends an error answer with ERROR-CODE (`code` 300 to 699), FINGERPRINT and, given a key,
/// MESSAGE-INTEGRITY. `reason` is cut at 127 bytes.
pub fn write_binding_error(
    _out: &mut Vec<u8>,
    _transaction_id: [u8; 12],
    _code: u16,
    _reason: &str,
    _key: Option<&[u8]>,
) {
    todo!()
}
