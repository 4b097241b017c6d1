use super::*;

const TICK: Duration = Duration::from_millis(200);
const ABOVE: Duration = Duration::from_millis(100);

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
        // Above the bound, and the two ticks until a probe that was too much is known for that.
        assert!(queue.worst < ABOVE.as_secs_f64() * 2.5, "{capacity}: {:.0} ms", queue.worst * 1e3);
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

/// What each tick's smallest lateness in milliseconds leads to.
fn shed_after(steps: u8, ticks: &[u64]) -> Shed {
    let mut load = Load::default();
    let mut now = Time::from_micros(1_000_000);
    for &late in ticks {
        now += TICK;
        load.observe(Duration::from_millis(late));
        load.evaluate(now, steps, ABOVE);
    }
    load.shed()
}

#[test]
fn a_keyframe_for_many_viewers_is_no_overload() {
    assert_eq!(shed_after(0, &[5, 280, 90, 10, 0, 0, 0, 0, 0, 0].repeat(20)), Shed::default());
    assert_eq!(shed_after(16, &[5, 280, 90, 10, 0, 0, 0, 0, 0, 0].repeat(20)), Shed::default());
}

#[test]
fn no_seat_is_refused_before_a_second_has_passed() {
    assert_eq!(shed_after(0, &[150; 6]), Shed::default());
    assert_eq!(shed_after(0, &[150; 7]), Shed { seats: true, ..Shed::default() });
    let busy = [150, 170, 160, 140, 20, 0, 130, 150, 120, 30];
    assert_eq!(shed_after(0, &busy.repeat(20)), Shed::default(), "late by turns");
    assert!(shed_after(0, &[450, 500, 550]).seats, "far gone");
}

#[test]
fn while_lower_encodings_settle_nothing_more_is_shed() {
    let layers = |layers| Shed { layers, ..Shed::default() };
    // Noticed in the second tick; six settle.
    assert_eq!(shed_after(8, &[200; 7]), layers(8));
    assert_eq!(shed_after(8, &[200; 8]), Shed { seats: true, ..layers(8) });
    assert_eq!(shed_after(8, &[200, 220, 900, 300, 250]), layers(8), "a lump");
    assert!(shed_after(8, &[200, 300, 500, 700]).seats, "far gone");
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
