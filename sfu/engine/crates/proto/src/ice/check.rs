//! Our own checks: of a path before media goes there, then for its round-trip time and its consent.

use std::time::Duration;

use rand::Rng;

use super::{Handled, Ice, Pair};
use crate::stun::{self, BindingRequest};
use crate::time::Time;

/// Our check is sent again after this, doubling each time: 50 ms is a short round trip.
const CHECK_AGAIN: Duration = Duration::from_millis(50);
const CHECK_TRIES: u32 = 7;

/// A dialling side keeps its path alive this often, well inside the consent time of 30 s.
const KEEPALIVE: Duration = Duration::from_secs(2);

/// A verified path that carries media is asked again this often, for its round-trip time.
const MEASURE: Duration = Duration::from_secs(5);

/// An address that has answered none of our checks for this long gets no more media (RFC 7675 section 5.1).
const ANSWER: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub struct Check {
    pub transaction_id: [u8; 12],
    pub sent: Time,
    pub tries: u32,
}

impl Check {
    pub fn new(slot: u32, now: Time, rng: &mut impl Rng) -> Check {
        let mut transaction_id = [0; 12];
        transaction_id[..4].copy_from_slice(&slot.to_be_bytes());
        // 64 random bits: nobody off the path guesses them within a check's seven tries.
        transaction_id[4..].copy_from_slice(&rng.random::<[u8; 8]>());
        Check { transaction_id, sent: now, tries: 0 }
    }
}

/// The slot of the agent that made a check's transaction id.
pub fn check_slot(transaction_id: [u8; 12]) -> u32 {
    let [a, b, c, d, ..] = transaction_id;
    u32::from_be_bytes([a, b, c, d])
}

impl Ice {
    pub(super) fn handle_success(&mut self, now: Time, pair: Pair, message: &stun::Message<'_>) -> Handled {
        let keys = [Some(&self.remote), self.previous.as_ref().map(|(_, remote)| remote)];
        if !keys.into_iter().flatten().any(|r| message.verify_integrity(r.pwd.as_bytes())) {
            return Handled::Refused;
        }
        let Some(at) = self.paths.iter().position(|p| {
            p.remote == pair.remote
                && p.check.as_ref().is_some_and(|c| c.transaction_id == message.transaction_id())
        }) else {
            return Handled::Refused;
        };
        if self.nominated == Some(at) {
            (self.selected, self.nominated) = (Some(at), None);
        }
        let path = &mut self.paths[at];
        if let Some(check) = path.check.take() {
            let sample = now.since(check.sent);
            // RFC 6298 section 2: SRTT = 7/8 SRTT + 1/8 R.
            self.rtt = Some(self.rtt.map_or(sample, |rtt| (rtt * 7 + sample) / 8));
        }
        path.local = path.local.or(pair.local);
        path.verified = true;
        (path.last_request, path.last_answer) = (now, now);
        path.next_check = now + if self.dial.is_some() { KEEPALIVE } else { MEASURE };
        if self.dial.is_some() {
            (self.last_consent, self.doubted) = (now, Time::FAR);
        }
        Handled::Answer
    }

    /// When the path of media is due to be measured again, unless it is asked already.
    pub fn next_measure(&self) -> Time {
        let path = self.selected.map(|at| &self.paths[at]);
        let idle = path.filter(|path| path.verified && path.check.is_none());
        idle.map_or(Time::FAR, |path| path.next_check)
    }

    /// The path of media is measured at the next `poll_check`, though it isn't due yet.
    pub fn measure(&mut self, now: Time) {
        if let Some(at) = self.selected {
            self.paths[at].next_check = self.paths[at].next_check.min(now);
        }
    }

    /// Write the check that is due, if any, and where it goes.
    pub fn poll_check(&mut self, now: Time, rng: &mut impl Rng, out: &mut Vec<u8>) -> Option<Pair> {
        let dial = self.dial.is_some();
        let at = (0..self.paths.len()).find(|&i| self.paths[i].next_check <= now && self.is_checked(i))?;
        let path = &mut self.paths[at];
        let check = path.check.get_or_insert_with(|| Check::new(self.slot, now, rng));
        let username = format!("{}:{}", self.remote.ufrag, self.local.ufrag);
        let before = out.len();
        BindingRequest {
            transaction_id: check.transaction_id,
            username: &username,
            key: self.remote.pwd.as_bytes(),
            priority: 1 << 24 | 65_535 << 8 | 255, // a host candidate's: RFC 8445 section 5.1.2.1
            controlling: dial.then_some(self.tie_breaker),
            use_candidate: dial,
        }
        .write(out);
        let size = (out.len() - before) as u64;
        check.sent = now;
        check.tries += 1;
        let tries = check.tries;
        path.next_check = now + CHECK_AGAIN * (1 << tries.min(CHECK_TRIES));
        if tries >= CHECK_TRIES {
            path.check = None;
            path.next_check = if dial { now + KEEPALIVE } else { Time::FAR };
            if path.verified {
                path.next_check = now + MEASURE;
                // Its requests alone are no consent: they could come from elsewhere.
                path.verified = dial || now.since(path.last_answer) < ANSWER;
            }
        }
        if !dial && !path.takes(size) {
            out.truncate(before);
            return None;
        }
        path.sent += size;
        Some(path.pair())
    }

    pub fn next_check(&self) -> Time {
        let checked = (0..self.paths.len()).filter(|&i| self.is_checked(i));
        checked.map(|i| self.paths[i].next_check).min().unwrap_or(Time::FAR)
    }

    /// Whether checks of a path go on: until it has answered, and then where media goes.
    fn is_checked(&self, at: usize) -> bool {
        let path = &self.paths[at];
        path.check.is_some() || self.dial.is_some() || (path.verified && Some(at) == self.selected)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use rand::rngs::StdRng;
    use rand::SeedableRng;

    use super::*;
    use crate::message::IceCredentials;

    fn credentials(ufrag: &str) -> IceCredentials {
        IceCredentials { ufrag: ufrag.into(), pwd: format!("the password of {ufrag}") }
    }

    fn handle(ice: &mut Ice, now: Time, remote: SocketAddr, data: &[u8], rng: &mut StdRng) -> Handled {
        let message = stun::Message::parse(data).unwrap();
        let pair = Pair { local: None, remote };
        ice.handle(now, pair, &message, data.len(), rng, &mut Vec::new())
    }

    #[test]
    fn a_path_is_measured_early_once_until_it_has_answered() {
        let (ours, theirs) = (credentials("ours"), credentials("theirs"));
        let (mut now, mut rng) = (Time::from_micros(1_000_000), StdRng::seed_from_u64(1));
        let remote = SocketAddr::from(([10, 0, 0, 1], 5_000));
        let mut ice = Ice::new(now, ours.clone(), theirs.clone(), None, 7, 8, &mut rng);
        assert_eq!(ice.next_measure(), Time::FAR);
        let mut request = Vec::new();
        BindingRequest {
            transaction_id: [1; 12],
            username: "ours:theirs",
            key: ours.pwd.as_bytes(),
            priority: 1,
            controlling: Some(1),
            use_candidate: true,
        }
        .write(&mut request);
        handle(&mut ice, now, remote, &request, &mut rng);
        assert_eq!(ice.next_measure(), Time::FAR); // a path that has not answered is not measured but asked
        for _ in 0..3 {
            let mut check = Vec::new();
            assert!(ice.poll_check(now, &mut rng, &mut check).is_some());
            assert_eq!(ice.next_measure(), Time::FAR);
            let id = stun::Message::parse(&check).unwrap().transaction_id();
            let mut answer = Vec::new();
            stun::write_binding_success(&mut answer, id, remote, theirs.pwd.as_bytes());
            assert_eq!(handle(&mut ice, now, remote, &answer, &mut rng), Handled::Answer);
            assert_eq!(ice.next_measure(), now + MEASURE);
            now = now + MEASURE - Duration::from_millis(40);
            assert!(ice.poll_check(now, &mut rng, &mut Vec::new()).is_none());
            ice.measure(now);
        }
    }
}
