//! What a worker that can't keep up gives up, and when it takes it back. Pure: lateness and time go in.
//!
//! The sign is a standing queue, as in CoDel (RFC 8289 section 3): the smallest lateness of two ticks. A burst
//! is late and then drained; only who can't keep up is late all the time, and then delay grows without end.
//! Two ticks, since a keyframe for a thousand viewers may keep a worker busy through a whole one.

use std::time::Duration;

use crate::time::Time;

/// Shedding goes by sixteenths of the subscriptions: one of them is worth noticing, and less is noise.
pub const SHARES: u8 = 16;

/// Seats and pictures are for who is late through all of this: a machine that something else keeps busy for a
/// moment is not overloaded.
const LASTS: Duration = Duration::from_secs(1);

/// Past so many times the bound nothing is waited for.
const FAR_GONE: u32 = 4;

/// A lower encoding is there after a keyframe was asked for: a second since the request before, then a round
/// trip and an encoder's delay.
const LAYERS_SETTLE: Duration = Duration::from_millis(1_200);

/// Two ticks: all that is measured then came after the last change.
const THIN_SETTLE: Duration = Duration::from_millis(400);

/// What has piled up should be gone after this.
const DRAIN: Duration = Duration::from_secs(1);

/// Something is taken back after this much calm at first; each failure makes it four times as long, each
/// success a third shorter: some shares that are borne don't outweigh the one that is not.
const HOLD: Duration = Duration::from_secs(2);
const HOLD_MIN: Duration = Duration::from_millis(500);
const HOLD_MAX: Duration = Duration::from_secs(12);

/// Falling behind within this after something was taken back means that it was too much.
const PROBE: Duration = Duration::from_secs(5);

/// What a worker does not do because of its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Shed {
    /// Steps down to lower encodings, in sixteenths of the video subscriptions: with 16 each receives one
    /// encoding less than it wants, with 32 two.
    pub layers: u8,
    /// New seats are refused.
    pub seats: bool,
    /// Sixteenths of the video subscriptions that pause.
    pub thin: u8,
}

impl Shed {
    pub fn stage(&self) -> Stage {
        match self {
            Shed { thin: 1.., .. } => Stage::Thin,
            Shed { seats: true, .. } => Stage::Seats,
            Shed { layers: 1.., .. } => Stage::Layers,
            _ => Stage::Clear,
        }
    }
}

/// The last resort that a worker has taken; each includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    Clear,
    /// Subscriptions step down to lower encodings.
    Layers,
    /// New seats are refused.
    Seats,
    /// Video of some pauses.
    Thin,
}

/// The controller of one worker.
#[derive(Debug)]
pub struct Load {
    /// The smallest lateness since the last evaluation, and that of the tick before.
    smallest: Option<Duration>,
    before: Duration,
    /// Standing lateness at the last evaluations, the newest first.
    late: [(Time, Duration); 3],
    /// Since when it is above the bound.
    since: Option<Time>,
    shed: Shed,
    /// What was shed last takes effect until then.
    settled: Time,
    calm: Option<Time>,
    /// When something was taken back that has been borne since.
    relaxed: Option<Time>,
    hold: Duration,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            smallest: None,
            before: Duration::ZERO,
            late: [(Time::ZERO, Duration::ZERO); 3],
            since: None,
            shed: Shed::default(),
            settled: Time::ZERO,
            calm: None,
            relaxed: None,
            hold: HOLD,
        }
    }
}

impl Load {
    pub fn shed(&self) -> Shed {
        self.shed
    }

    /// The standing lateness of the last two ticks.
    pub fn late(&self) -> Duration {
        self.late[0].1
    }

    /// How long what was read in one turn had waited.
    pub fn observe(&mut self, lateness: Duration) {
        self.smallest = Some(self.smallest.map_or(lateness, |s| s.min(lateness)));
    }

    /// Once a tick. `steps`: how far down subscriptions could go, in sixteenths as in [`Shed::layers`].
    /// `above`: standing lateness from which on something is shed; zero: never.
    pub fn evaluate(&mut self, now: Time, steps: u8, above: Duration) -> Shed {
        let smallest = self.smallest.take().unwrap_or(Duration::ZERO);
        let late = smallest.min(std::mem::replace(&mut self.before, smallest));
        self.late = [(now, late), self.late[0], self.late[1]];
        if above.is_zero() {
            self.shed = Shed::default();
        } else if late > above {
            self.calm = None;
            self.since.get_or_insert(now);
            self.fall_behind(now, steps, above);
        } else {
            self.since = None;
            if late <= above / 4 {
                self.recover(now);
            } else {
                self.calm = None;
            }
        }
        self.shed
    }

    fn fall_behind(&mut self, now: Time, steps: u8, above: Duration) {
        let late = self.late();
        let far_gone = late >= above * FAR_GONE;
        // Lower encodings may never come; who is paused costs nothing from the next frame on.
        let settling = now < self.settled && (!far_gone || self.shed.thin > 0);
        // Gone within a second as it falls now.
        if settling || (late - above).as_secs_f64() <= -self.growth() {
            return;
        }
        if self.relaxed.take().is_some_and(|at| now.since(at) < PROBE) {
            self.hold = (self.hold * 4).min(HOLD_MAX);
        }
        let lasts = self.since.is_some_and(|since| now.since(since) >= LASTS);
        if self.shed.layers < steps {
            self.shed.layers = if far_gone { steps } else { (self.shed.layers + SHARES / 2).min(steps) };
            self.settled = now + LAYERS_SETTLE;
        } else if self.shed.seats || far_gone {
            self.shed.seats = true;
            self.thin(above);
            self.settled = now + THIN_SETTLE;
        } else if lasts {
            self.shed.seats = true;
        }
    }

    /// How fast lateness grows, in seconds a second: over two ticks, since frames of many packets come to
    /// many viewers as lumps.
    fn growth(&self) -> f64 {
        let [(now, late), _, (then, before)] = self.late;
        (late.as_secs_f64() - before.as_secs_f64()) / now.since(then).as_secs_f64().max(1e-3)
    }

    /// Where a second makes us later by g, only 1 - g of what came was served: so much of the viewers can be
    /// kept, and fewer while what is above the bound is drained. Example: g = 0.3, 100 ms above: 16 shares
    /// become 16 * 0.7 / 1.1 = 10.
    fn thin(&mut self, above: Duration) {
        let kept = SHARES - self.shed.thin;
        let served = (1.0 - self.growth()).clamp(0.0, 1.0);
        let drain = 1.0 + self.late().saturating_sub(above).as_secs_f64() / DRAIN.as_secs_f64();
        let aim = (f64::from(kept) * served / drain) as u8;
        // One measurement may err: never more than half at once, unless we are far gone.
        let least = if self.late() > above * FAR_GONE * 2 { 1 } else { (kept / 2).max(1) };
        self.shed.thin = SHARES - aim.clamp(least, kept.saturating_sub(1).max(least));
    }

    fn recover(&mut self, now: Time) {
        let calm = *self.calm.get_or_insert(now);
        let since = self.relaxed.map_or(calm, |at| at.max(calm));
        if self.shed == Shed::default() || now.since(since) < self.hold {
            return;
        }
        if self.relaxed.is_some() {
            self.hold = (self.hold * 2 / 3).max(HOLD_MIN);
        }
        if self.shed.thin > 0 {
            self.shed.thin -= 1;
        } else if self.shed.seats {
            self.shed.seats = false;
        } else {
            self.shed.layers = self.shed.layers.saturating_sub(SHARES / 4);
        }
        self.relaxed = Some(now);
    }
}

#[cfg(test)]
mod tests;
