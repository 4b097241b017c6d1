//! What a worker that can't keep up gives up, and when it takes it back. Pure: lateness and time go in.
//!
//! The sign is a standing queue, as in CoDel (RFC 8289 section 3): the smallest lateness of a tick. A burst
//! is late and then drained; only who can't keep up is late all the time, and then delay grows without end.

use std::time::Duration;

use crate::time::Time;

/// Shedding goes by sixteenths of the subscriptions: one of them is worth noticing, and less is noise.
pub const SHARES: u8 = 16;

/// So many ticks in a row: a machine that stood still for a moment is not overloaded.
const LATE_TICKS: u8 = 2;

/// Past so many times the bound nothing is waited for.
const URGENT: u32 = 4;

/// A lower encoding is there after a keyframe was asked for: a round trip and an encoder's delay.
const LAYERS_SETTLE: Duration = Duration::from_millis(600);

/// What was queued has left, and a whole tick has been measured since.
const THIN_SETTLE: Duration = Duration::from_millis(400);

/// What has piled up should be gone after this.
const DRAIN: Duration = Duration::from_millis(500);

/// Something is taken back after this much calm at first; each failure makes it four times as long, each
/// success half.
const HOLD: Duration = Duration::from_secs(2);
const HOLD_MIN: Duration = Duration::from_millis(500);
const HOLD_MAX: Duration = Duration::from_secs(16);

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
    /// The smallest lateness since the last evaluation.
    smallest: Option<Duration>,
    /// Standing lateness at the last evaluation, and when that was.
    late: Duration,
    evaluated: Time,
    /// Ticks in a row that were late.
    late_ticks: u8,
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
            late: Duration::ZERO,
            evaluated: Time::ZERO,
            late_ticks: 0,
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

    /// The standing lateness of the last tick.
    pub fn late(&self) -> Duration {
        self.late
    }

    /// How long what was read in one turn had waited.
    pub fn observe(&mut self, lateness: Duration) {
        self.smallest = Some(self.smallest.map_or(lateness, |s| s.min(lateness)));
    }

    /// Once a tick. `steps`: how far down subscriptions could go, in sixteenths as in [`Shed::layers`].
    /// `above`: standing lateness from which on something is shed; zero: never.
    pub fn evaluate(&mut self, now: Time, steps: u8, above: Duration) -> Shed {
        let late = self.smallest.take().unwrap_or(Duration::ZERO);
        let before = std::mem::replace(&mut self.late, late);
        let tick = now.since(std::mem::replace(&mut self.evaluated, now));
        self.late_ticks = if late > above { self.late_ticks.saturating_add(1) } else { 0 };
        if above.is_zero() {
            self.shed = Shed::default();
        } else if late > above {
            self.calm = None;
            if self.late_ticks >= LATE_TICKS {
                self.fall_behind(now, before, tick, steps, above);
            }
        } else if late <= above / 4 {
            self.recover(now);
        } else {
            self.calm = None;
        }
        self.shed
    }

    fn fall_behind(&mut self, now: Time, before: Duration, tick: Duration, steps: u8, above: Duration) {
        let late = self.late;
        let urgent = late >= above * URGENT;
        // Gone within a second as it falls now.
        let falls = before.saturating_sub(late).as_secs_f64() / tick.as_secs_f64().max(1e-3);
        // Lower encodings may never come; who is paused costs nothing from the next frame on.
        let settling = now < self.settled && (!urgent || self.shed.thin > 0);
        if (late - above).as_secs_f64() <= falls || settling {
            return;
        }
        if self.relaxed.take().is_some_and(|at| now.since(at) < PROBE) {
            self.hold = (self.hold * 4).min(HOLD_MAX);
        }
        if self.shed.layers < steps {
            self.shed.layers = if urgent { steps } else { (self.shed.layers + SHARES / 2).min(steps) };
            self.settled = now + LAYERS_SETTLE;
        } else if !self.shed.seats {
            self.shed.seats = true;
        } else {
            self.thin(before, tick, above);
            self.settled = now + THIN_SETTLE;
        }
    }

    /// In a tick t that makes us later by d, only (t - d) / t of what came was served: so much of the
    /// viewers can be kept, and fewer while what piled up is drained. Example: 60 ms later in 200 ms, 100 ms
    /// late: 16 shares become 16 * 0.7 / 1.2 = 9.
    fn thin(&mut self, before: Duration, tick: Duration, above: Duration) {
        let kept = SHARES - self.shed.thin;
        let later = self.late.saturating_sub(before).as_secs_f64();
        let served = (1.0 - later / tick.as_secs_f64().max(1e-3)).max(0.0);
        let drain = 1.0 + self.late.as_secs_f64() / DRAIN.as_secs_f64();
        let aim = (f64::from(kept) * served / drain) as u8;
        // One measurement may err: never more than half at once, unless we are far gone.
        let least = if self.late > above * URGENT * 4 { 1 } else { (kept / 2).max(1) };
        self.shed.thin = SHARES - aim.clamp(least, kept.saturating_sub(1).max(least));
    }

    fn recover(&mut self, now: Time) {
        let calm = *self.calm.get_or_insert(now);
        let since = self.relaxed.map_or(calm, |at| at.max(calm));
        if self.shed == Shed::default() || now.since(since) < self.hold {
            return;
        }
        if self.relaxed.is_some() {
            self.hold = (self.hold / 2).max(HOLD_MIN);
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
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(200);
    const ABOVE: Duration = Duration::from_millis(30);

    /// A queue that is served at `capacity` of the whole demand.
    struct Queue {
        load: Load,
        now: Time,
        late: f64,
        steps: u8,
        worst: f64,
        changes: usize,
    }

    impl Queue {
        fn new(steps: u8) -> Queue {
            let now = Time::from_micros(1_000_000);
            Queue { load: Load::default(), now, late: 0.0, steps, worst: 0.0, changes: 0 }
        }

        fn run(&mut self, capacity: f64, how_long: f64) {
            for _ in 0..(how_long / TICK.as_secs_f64()) as usize {
                let shed = self.load.shed();
                // A step down saves two thirds of a viewer's bits.
                let layers = 1.0 - f64::from(shed.layers.min(16)) / 16.0 * 0.66;
                let demand = layers * f64::from(SHARES - shed.thin) / 16.0;
                self.late = (self.late + (1.0 - capacity / demand) * 0.2).max(0.0);
                self.now += TICK;
                self.load.observe(Duration::from_secs_f64(self.late + 0.002));
                self.load.observe(Duration::from_secs_f64(self.late + 0.05)); // a burst
                let after = self.load.evaluate(self.now, self.steps, ABOVE);
                self.changes += usize::from(after != shed);
                self.worst = self.worst.max(self.late);
            }
        }
    }

    #[test]
    fn who_keeps_up_sheds_nothing_whatever_the_bursts() {
        let mut queue = Queue::new(32);
        queue.run(1.05, 600.0);
        assert_eq!((queue.changes, queue.load.shed()), (0, Shed::default()));
    }

    #[test]
    fn delay_is_bounded_and_does_not_swing() {
        for capacity in [0.95, 0.8, 0.5, 0.3, 0.15] {
            let mut queue = Queue::new(0);
            queue.run(capacity, 10.0);
            // Until somebody has noticed, and then until it is drained.
            assert!(queue.worst < 1.2, "{capacity}: {:.0} ms", queue.worst * 1e3);
            (queue.worst, queue.changes) = (0.0, 0);
            queue.run(capacity, 300.0);
            assert!(queue.worst < 0.15, "{capacity}: {:.0} ms", queue.worst * 1e3);
            // A probe in 16 s, and the way back from it.
            assert!(queue.changes < 80, "{capacity}: {} changes", queue.changes);
            let kept = f64::from(SHARES - queue.load.shed().thin) / 16.0;
            assert!(kept > capacity / 1.6 - 0.07, "{capacity}: {kept} kept");
        }
    }

    #[test]
    fn layers_first_then_seats_then_media_and_back_in_reverse() {
        let mut queue = Queue::new(16);
        queue.run(0.5, 20.0);
        let shed = queue.load.shed();
        assert!(shed.layers > 0 && shed.thin == 0, "{shed:?}");
        queue.run(0.2, 20.0);
        let shed = queue.load.shed();
        assert!(shed.layers == 16 && shed.seats && shed.thin > 0, "{shed:?}");
        let mut stages = vec![shed.stage()];
        for _ in 0..1_000 {
            queue.run(2.0, 0.2);
            let stage = queue.load.shed().stage();
            if stages.last() != Some(&stage) {
                stages.push(stage);
            }
        }
        assert_eq!(stages, [Stage::Thin, Stage::Seats, Stage::Layers, Stage::Clear]);
    }

    #[test]
    fn one_stall_is_no_overload() {
        let mut load = Load::default();
        let mut now = Time::from_micros(1_000_000);
        for late in [0, 0, 5_000, 0, 0] {
            load.observe(Duration::from_millis(late));
            now += TICK;
            assert_eq!(load.evaluate(now, 0, ABOVE), Shed::default());
        }
        assert_eq!(load.evaluate(now + TICK, 0, ABOVE), Shed::default(), "nothing was read at all");
    }

    #[test]
    fn zero_never_sheds() {
        let mut load = Load::default();
        for tick in 1..100 {
            load.observe(Duration::from_secs(9));
            let now = Time::from_micros(tick * 200_000);
            assert_eq!(load.evaluate(now, 32, Duration::ZERO), Shed::default());
        }
    }
}
