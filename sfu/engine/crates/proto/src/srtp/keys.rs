//! Session keys (RFC 3711 section 4.3) and the two ciphers with what goes into them.

use super::gcm::{self, Gcm};
use super::{Profile, SrtpError};
use aws_lc_rs::cipher::{EncryptingKey, EncryptionContext, UnboundCipherKey, AES_128, AES_256};
use aws_lc_rs::{constant_time, hmac};

use crate::prefetch::prefetch;

/// HMAC-SHA1 cut to 80 bits.
const CM_TAG_LEN: usize = 10;
pub(super) const GCM_TAG_LEN: usize = gcm::TAG_LEN;
const AUTH_KEY_LEN: usize = 20;
/// What of a compound RTCP packet stays in the clear: the first header and the sender's SSRC.
pub(super) const RTCP_HEADER_LEN: usize = 8;
/// The E flag before the SRTCP index (RFC 3711 section 3.4).
pub(super) const ENCRYPTED: u32 = 1 << 31;

/// Keys of RTP, and those of RTCP, of one master key. Key schedules are computed once.
pub(super) enum Session {
    /// Apart, because its key schedules take 1.7 KB.
    Cm(Box<CounterMode>),
    Gcm {
        cipher: Gcm,
        /// 96 bits.
        salt: u128,
    },
}

pub(super) struct CounterMode {
    cipher: EncryptingKey,
    salt: [u8; 14],
    auth: hmac::Key,
}

/// Labels of the key derivation (RFC 3711 section 4.3.2): encryption, then authentication, then salt.
#[derive(Clone, Copy)]
pub(super) enum Stream {
    Rtp = 0,
    Rtcp = 3,
}

impl Session {
    pub fn derive(profile: Profile, stream: Stream, key_and_salt: &[u8]) -> Result<Session, SrtpError> {
        if key_and_salt.len() != profile.key_len() + profile.salt_len() {
            return Err(SrtpError::BadKey);
        }
        let (key, salt) = key_and_salt.split_at(profile.key_len());
        let label = stream as u8;
        let mut session_key = [0; 32];
        let session_key = &mut session_key[..key.len()];
        derive(key, salt, label, session_key)?;
        let mut session_salt = [0; 14];
        let session_salt = &mut session_salt[..salt.len()];
        derive(key, salt, label + 2, session_salt)?;
        let mut auth = [0; AUTH_KEY_LEN];
        derive(key, salt, label + 1, &mut auth)?;
        Session::new(profile, session_key, session_salt, &auth)
    }

    /// From session keys; `auth` is for AES-CM only.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8], auth: &[u8]) -> Result<Session, SrtpError> {
        if key.len() != profile.key_len() {
            return Err(SrtpError::BadKey);
        }
        if profile == Profile::Aes128CmSha1_80 {
            return Ok(Session::Cm(Box::new(CounterMode {
                cipher: counter_mode(key)?,
                salt: salt.try_into().map_err(|_| SrtpError::BadKey)?,
                auth: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth),
            })));
        }
        let salt: [u8; 12] = salt.try_into().map_err(|_| SrtpError::BadKey)?;
        let salt = salt.iter().fold(0, |number, &byte| number << 8 | u128::from(byte));
        Ok(Session::Gcm { cipher: Gcm::new(key)?, salt })
    }

    /// Ask for what `seal` will look at.
    pub fn prefetch(&self) {
        match self {
            Session::Cm(cm) => prefetch(&**cm),
            Session::Gcm { cipher, .. } => cipher.prefetch(),
        }
    }

    pub fn tag_len(&self) -> usize {
        match self {
            Session::Cm(_) => CM_TAG_LEN,
            Session::Gcm { .. } => GCM_TAG_LEN,
        }
    }

    /// In SRTCP the index stands before the tag (RFC 3711 section 3.4), with GCM after it (RFC 7714
    /// section 9.2).
    pub fn index_before_tag(&self) -> bool {
        matches!(self, Session::Cm(_))
    }
}

fn counter_mode(key: &[u8]) -> Result<EncryptingKey, SrtpError> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| SrtpError::BadKey)?;
    EncryptingKey::ctr(key).map_err(|_| SrtpError::BadKey)
}

/// XORs the key stream that begins at counter block `iv` into `data`. Encrypts and decrypts.
pub(super) fn apply_key_stream(cipher: &EncryptingKey, iv: [u8; 16], data: &mut [u8]) {
    let context = EncryptionContext::Iv128((&iv).into());
    cipher.less_safe_encrypt(data, context).expect("counter mode takes any length");
}

/// RFC 3711 section 4.3.3 with a key derivation rate of zero: the key stream of AES-CM under the
/// master key, its counter block the master salt with `label` XORed into byte 7. A salt of 96 bits is
/// extended with zeros (RFC 7714 section 11); keys of 256 bits derive with AES-256 (RFC 6188 section 3).
pub(super) fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Result<(), SrtpError> {
    let mut iv = [0; 16];
    iv[..salt.len()].copy_from_slice(salt);
    iv[7] ^= label;
    out.fill(0);
    apply_key_stream(&counter_mode(key)?, iv, out);
    Ok(())
}

/// Counter block of AES-CM (RFC 3711 section 4.1.1): salt * 2^16 ^ SSRC * 2^64 ^ index * 2^16.
pub(super) fn counter_block(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut iv = [0; 16];
    iv[..14].copy_from_slice(salt);
    let mixed = u128::from_be_bytes(iv) ^ u128::from(ssrc) << 64 ^ u128::from(index) << 16;
    mixed.to_be_bytes()
}

/// RFC 7714 section 8.1: SSRC * 2^48 ^ the 48-bit index ^ salt. For RTCP (section 9.1) the index has
/// only 31 bits, and so the same form.
fn nonce(salt: u128, ssrc: u32, index: u64) -> [u8; gcm::NONCE_LEN] {
    let mixed = salt ^ u128::from(ssrc) << 48 ^ u128::from(index & 0xFFFF_FFFF_FFFF);
    let [_, _, _, _, bytes @ ..] = mixed.to_be_bytes();
    bytes
}

/// Where a packet stands: what makes its nonce, and what is authenticated besides it.
#[derive(Clone, Copy)]
pub(super) struct Place {
    stream: Stream,
    ssrc: u32,
    /// 48 bits for RTP, 31 for RTCP.
    index: u64,
    /// RTP: the rollover counter. RTCP: E flag and index.
    pub trailer: [u8; 4],
}

impl Place {
    pub fn rtp(ssrc: u32, index: u64) -> Place {
        Place { stream: Stream::Rtp, ssrc, index, trailer: ((index >> 16) as u32).to_be_bytes() }
    }

    pub fn rtcp(ssrc: u32, index: u32) -> Place {
        let trailer = (ENCRYPTED | index).to_be_bytes();
        Place { stream: Stream::Rtcp, ssrc, index: u64::from(index), trailer }
    }

    /// What GCM authenticates besides the ciphertext: the header, for RTCP also the word that ends
    /// the packet (RFC 7714 sections 8.2 and 9.2).
    fn with_aad<T>(&self, header: &[u8], run: impl FnOnce(&[u8]) -> T) -> T {
        match self.stream {
            Stream::Rtp => run(header),
            Stream::Rtcp => {
                let mut aad = [0; RTCP_HEADER_LEN + 4];
                aad[..RTCP_HEADER_LEN].copy_from_slice(header);
                aad[RTCP_HEADER_LEN..].copy_from_slice(&self.trailer);
                run(&aad)
            }
        }
    }
}

impl Session {
    /// Encrypts `packet` from `header_len` on and gives the tag, of which `tag_len` bytes count.
    pub fn seal(&self, place: Place, packet: &mut [u8], header_len: usize) -> [u8; GCM_TAG_LEN] {
        let mut tag = [0; GCM_TAG_LEN];
        match self {
            Session::Cm(cm) => {
                let iv = counter_block(&cm.salt, place.ssrc, place.index);
                apply_key_stream(&cm.cipher, iv, &mut packet[header_len..]);
                let digest = authenticate(&cm.auth, packet, place);
                tag[..CM_TAG_LEN].copy_from_slice(&digest.as_ref()[..CM_TAG_LEN]);
            }
            Session::Gcm { cipher, salt } => {
                let nonce = nonce(*salt, place.ssrc, place.index);
                let (header, body) = packet.split_at_mut(header_len);
                tag = place.with_aad(header, |aad| cipher.seal(&nonce, aad, body));
            }
        }
        tag
    }

    /// The reverse of `seal`. After an error the packet behind its header is of no use.
    pub fn open(
        &self,
        place: Place,
        packet: &mut [u8],
        header_len: usize,
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        match self {
            Session::Cm(cm) => {
                let digest = authenticate(&cm.auth, packet, place);
                constant_time::verify_slices_are_equal(&digest.as_ref()[..CM_TAG_LEN], tag)
                    .map_err(|_| SrtpError::Authentication)?;
                let iv = counter_block(&cm.salt, place.ssrc, place.index);
                apply_key_stream(&cm.cipher, iv, &mut packet[header_len..]);
            }
            Session::Gcm { cipher, salt } => {
                let nonce = nonce(*salt, place.ssrc, place.index);
                let (header, body) = packet.split_at_mut(header_len);
                place.with_aad(header, |aad| cipher.open(&nonce, aad, body, tag))?;
            }
        }
        Ok(())
    }
}

/// RFC 3711 section 4.2: over the packet and its rollover counter, or RTCP index.
fn authenticate(key: &hmac::Key, packet: &[u8], place: Place) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(packet);
    context.update(&place.trailer);
    context.sign()
}
