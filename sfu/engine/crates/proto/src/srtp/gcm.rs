//! AES-GCM by AWS-LC's C interface. aws-lc-rs has the same functions, but keeps their contexts where nobody can ask
//! for one before it is needed: 600 bytes for each viewer, which left the caches a frame ago.

use std::ptr::{self, NonNull};

use aws_lc_sys::{
    EVP_AEAD_CTX_free, EVP_AEAD_CTX_new, EVP_AEAD_CTX_open_gather, EVP_AEAD_CTX_seal_scatter,
    EVP_aead_aes_128_gcm, EVP_aead_aes_256_gcm, EVP_AEAD_CTX,
};

use super::SrtpError;
use crate::prefetch::prefetch;

pub const TAG_LEN: usize = 16;
pub const NONCE_LEN: usize = 12;

/// A key with what is computed from it. AWS-LC wipes both when they are freed.
pub struct Gcm(NonNull<EVP_AEAD_CTX>);

// SAFETY: the context is ours alone, and AWS-LC ties none to a thread. Not Sync, which nobody needs.
unsafe impl Send for Gcm {}

impl Gcm {
    /// SrtpError::BadKey unless it has 16 or 32 bytes.
    pub fn new(key: &[u8]) -> Result<Gcm, SrtpError> {
        // SAFETY: both give a pointer to a static; `key` lives through the call; null says that it failed.
        let context = unsafe {
            let cipher = match key.len() {
                16 => EVP_aead_aes_128_gcm(),
                32 => EVP_aead_aes_256_gcm(),
                _ => return Err(SrtpError::BadKey),
            };
            EVP_AEAD_CTX_new(cipher, key.as_ptr(), key.len(), TAG_LEN)
        };
        NonNull::new(context).map(Gcm).ok_or(SrtpError::BadKey)
    }

    /// Encrypts `body` in place and gives the tag over it and `aad`.
    ///
    /// # Panics
    /// If `body` is longer than GCM takes, 64 GB.
    pub fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], body: &mut [u8]) -> [u8; TAG_LEN] {
        let (mut tag, mut tag_len) = ([0; TAG_LEN], 0);
        // SAFETY: every pointer is to as many live bytes as the length beside it says; input and output may be
        // the same; there is no extra input.
        let sealed = unsafe {
            EVP_AEAD_CTX_seal_scatter(
                self.0.as_ptr(),
                body.as_mut_ptr(),
                tag.as_mut_ptr(),
                &mut tag_len,
                TAG_LEN,
                nonce.as_ptr(),
                NONCE_LEN,
                body.as_ptr(),
                body.len(),
                ptr::null(),
                0,
                aad.as_ptr(),
                aad.len(),
            )
        };
        assert!(sealed == 1 && tag_len == TAG_LEN, "a datagram is not too long for GCM");
        tag
    }

    /// The reverse of `seal`. After an error `body` is of no use.
    pub fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        body: &mut [u8],
        tag: &[u8],
    ) -> Result<(), SrtpError> {
        // SAFETY: as above.
        let opened = unsafe {
            EVP_AEAD_CTX_open_gather(
                self.0.as_ptr(),
                body.as_mut_ptr(),
                nonce.as_ptr(),
                NONCE_LEN,
                body.as_ptr(),
                body.len(),
                tag.as_ptr(),
                tag.len(),
                aad.as_ptr(),
                aad.len(),
            )
        };
        (opened == 1).then_some(()).ok_or(SrtpError::Authentication)
    }

    /// Ask for what `seal` and `open` will look at.
    pub fn prefetch(&self) {
        // SAFETY: it lives as long as we do, and nobody writes to it.
        prefetch(unsafe { self.0.as_ref() });
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        // SAFETY: it came from EVP_AEAD_CTX_new and is freed once.
        unsafe { EVP_AEAD_CTX_free(self.0.as_ptr()) };
    }
}
