//! ICE-lite (RFC 8445 section 2.5) for one transport: paths, consent, restart, and our own check of a
//! path before media goes there. The same agent dials for a Relay.

mod check;
mod path;

use std::net::SocketAddr;
use std::time::Duration;

use rand::Rng;

use crate::message::IceCredentials;
use crate::prefetch::prefetch;
use crate::stun::{self, Class};
use crate::time::Time;

use check::Check;
use path::Path;

pub use check::check_slot;
pub use path::Pair;

#[derive(Debug)]
pub struct Ice {
    local: IceCredentials,
    remote: IceCredentials,
    /// After a restart, until the new credentials are used.
    previous: Option<(IceCredentials, IceCredentials)>,
    dial: Option<SocketAddr>,
    tie_breaker: u64,
    /// Begins the transaction ids of our checks, so that answers find this agent without a route.
    slot: u32,
    paths: Vec<Path>,
    /// `Limits::paths_per_transport`.
    most_paths: usize,
    selected: Option<usize>,
    /// Nominated, and taken as soon as it has answered: until then media stays where it is.
    nominated: Option<usize>,
    evicted: Vec<SocketAddr>,
    last_consent: Time,
    doubted: Time,
    rtt: Option<Duration>,
}

/// What became of a STUN message.
#[derive(Debug, PartialEq, Eq)]
pub enum Handled {
    /// Not for us, malformed or without integrity: dropped.
    Refused,
    /// An authenticated request; true if the path of media changed.
    Request { path_changed: bool },
    /// An answer to our own check.
    Answer,
}

impl Ice {
    pub fn new(
        now: Time,
        local: IceCredentials,
        remote: IceCredentials,
        dial: Option<SocketAddr>,
        slot: u32,
        most_paths: usize,
        rng: &mut impl Rng,
    ) -> Ice {
        let mut ice = Ice {
            local,
            remote,
            previous: None,
            dial,
            tie_breaker: rng.random(),
            slot,
            paths: Vec::new(),
            most_paths: most_paths.max(1),
            selected: None,
            nominated: None,
            evicted: Vec::new(),
            last_consent: now,
            doubted: Time::FAR,
            rtt: None,
        };
        if let Some(remote) = dial {
            ice.paths.push(Path::new(None, remote, now));
            ice.selected = Some(0);
        }
        ice
    }

    pub fn restart(&mut self, local: IceCredentials, remote: IceCredentials) {
        let local = std::mem::replace(&mut self.local, local);
        let remote = std::mem::replace(&mut self.remote, remote);
        self.previous = Some((local, remote));
    }

    /// The user fragments by which requests find this transport.
    pub fn ufrags(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.local.ufrag.as_str())
            .chain(self.previous.as_ref().map(|(local, _)| local.ufrag.as_str()))
    }

    /// The ufrag of ours that a request's username names (RFC 8445 section 7.2.2: theirs is after the colon).
    pub fn local_ufrag<'a>(message: &stun::Message<'a>) -> Option<&'a str> {
        message.username()?.split(':').next()
    }

    /// Check a message against our credentials without changing anything: may it own a transport?
    pub fn authentic(local: &IceCredentials, message: &stun::Message<'_>) -> bool {
        Self::local_ufrag(message) == Some(local.ufrag.as_str())
            && message.verify_integrity(local.pwd.as_bytes())
    }

    /// Answers are appended to `out`, to be sent to where the message came from.
    pub fn handle(
        &mut self,
        now: Time,
        pair: Pair,
        message: &stun::Message<'_>,
        size: usize,
        rng: &mut impl Rng,
        out: &mut Vec<u8>,
    ) -> Handled {
        if message.method() != stun::BINDING || !message.fingerprint_ok() {
            return Handled::Refused;
        }
        match message.class() {
            Class::Request => {}
            Class::Success => return self.handle_success(now, pair, message),
            Class::Error | Class::Indication => return Handled::Refused,
        }
        let pwd = if Self::authentic(&self.local, message) {
            self.previous = None; // the new credentials are in use (RFC 8445 section 9)
            self.local.pwd.clone()
        } else {
            match &self.previous {
                Some((local, _)) if Self::authentic(local, message) => local.pwd.clone(),
                _ => return Handled::Refused,
            }
        };
        let Some(at) = self.path(now, pair) else { return Handled::Refused };
        (self.last_consent, self.doubted) = (now, Time::FAR);
        let path = &mut self.paths[at];
        path.received += size as u64;
        path.last_request = now;
        let before = out.len();
        stun::write_binding_success(out, message.transaction_id(), pair.remote, pwd.as_bytes());
        path.sent += (out.len() - before) as u64;
        if !path.verified && path.check.is_none() {
            path.next_check = now;
            path.check = Some(Check::new(self.slot, now, rng));
        }
        // Before nomination the newest path serves DTLS; nomination is the controlling side's word.
        let wanted = match self.selected {
            None => true,
            Some(selected) if selected == at => {
                self.nominated = None;
                false
            }
            Some(selected) => message.has_use_candidate() || self.stale(now, selected),
        };
        let take = wanted && (self.paths[at].verified || self.media_pair().is_none());
        if take {
            (self.selected, self.nominated) = (Some(at), None);
        } else if wanted {
            self.nominated = Some(at);
        }
        Handled::Request { path_changed: take }
    }

    /// A path without a request for three of Firefox's check intervals (5 s) gives way to one that has them.
    fn stale(&self, now: Time, at: usize) -> bool {
        now.since(self.paths[at].last_request) > Duration::from_secs(15)
    }

    fn path(&mut self, now: Time, pair: Pair) -> Option<usize> {
        let found = self.paths.iter().position(|p| p.remote == pair.remote);
        if let Some(at) = found {
            self.paths[at].local = pair.local.or(self.paths[at].local);
            return Some(at);
        }
        if self.paths.len() < self.most_paths {
            self.paths.push(Path::new(pair.local, pair.remote, now));
            return Some(self.paths.len() - 1);
        }
        // Replace the path that has been silent longest, never the one in use.
        let at = (0..self.paths.len())
            .filter(|&i| Some(i) != self.selected)
            .min_by_key(|&i| (self.paths[i].verified, self.paths[i].last_request))?;
        let old = std::mem::replace(&mut self.paths[at], Path::new(pair.local, pair.remote, now));
        self.evicted.push(old.remote);
        self.nominated = self.nominated.filter(|&n| n != at);
        Some(at)
    }

    /// Bytes of another kind came from an address: they raise what may go back there.
    pub fn received(&mut self, remote: SocketAddr, size: usize) {
        if let Some(path) = self.paths.iter_mut().find(|p| p.remote == remote) {
            path.received += size as u64;
        }
    }

    pub fn knows(&self, remote: SocketAddr) -> bool {
        self.paths.iter().any(|p| p.remote == remote)
    }

    pub fn is_verified(&self, remote: SocketAddr) -> bool {
        self.paths.iter().any(|p| p.remote == remote && p.verified)
    }

    /// Addresses that lost their place since the last call.
    pub fn take_evicted(&mut self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.evicted.drain(..)
    }

    pub fn selected_remote(&self) -> Option<SocketAddr> {
        self.selected.map(|at| self.paths[at].remote)
    }

    /// Ask for the path of media.
    pub fn prefetch(&self) {
        prefetch(self.paths.as_slice());
    }

    /// Where media goes: only to an address that answered our own check.
    pub fn media_pair(&self) -> Option<Pair> {
        let path = &self.paths[self.selected?];
        path.verified.then(|| path.pair())
    }

    /// Where `size` bytes of DTLS or RTCP may go now; counts them.
    pub fn control_pair(&mut self, size: usize) -> Option<Pair> {
        let path = &mut self.paths[self.selected?];
        let size = size as u64;
        if !path.takes(size) {
            return None;
        }
        path.sent += size;
        Some(path.pair())
    }

    /// The peer seems to say goodbye, but nobody can tell whether it was the peer: unless it checks once
    /// more by then, consent is over.
    pub fn doubt(&mut self, until: Time) {
        self.doubted = self.doubted.min(until);
    }

    /// When the peer's agreement to receive ends (RFC 7675), if it does not renew it.
    pub fn consent_end(&self, consent: Duration) -> Time {
        (self.last_consent + consent).min(self.doubted)
    }

    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    pub fn remotes(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.paths.iter().map(|p| p.remote)
    }
}
