//! Whose picture flows while it can't be everybody's: who has had least comes next. Pure: time goes in.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::message::SubscriptionId;
use crate::time::Time;

/// Twice the usual two seconds between keyframes.
const TURN: Duration = Duration::from_secs(4);

/// What a subscription has had since it competes.
#[derive(Debug, Clone, Copy)]
struct Had {
    picture: Duration,
    /// When its picture flowed last.
    last: Time,
}

/// Who has had fewest turns comes next, and of these who has waited longest.
#[derive(Debug, Default)]
pub struct Turns {
    had: HashMap<SubscriptionId, Had>,
    chosen: HashSet<SubscriptionId>,
    called: Option<Time>,
    until: Time,
}

impl Turns {
    /// Once a tick: choose `places` of `all`, each given with whether its picture flows. Newcomers are taken
    /// for those who have had least. A turn that has begun is cut short only where places have become fewer;
    /// one in which no picture came is not counted.
    pub fn choose(
        &mut self,
        now: Time,
        all: &[(SubscriptionId, bool)],
        places: usize,
    ) -> &HashSet<SubscriptionId> {
        let tick = self.called.replace(now).map_or(Duration::ZERO, |called| now.since(called).min(TURN / 4));
        let known = all.iter().filter_map(|(id, _)| self.had.get(id));
        let newcomer = Had { picture: known.map(|had| had.picture).min().unwrap_or_default(), last: now };
        let count = |&(id, flows): &(SubscriptionId, bool)| {
            let had = self.had.get(&id).copied().unwrap_or(newcomer);
            (id, if flows { Had { picture: had.picture + tick, last: now } } else { had })
        };
        self.had = all.iter().map(count).collect();
        let ends = now >= self.until;
        if ends {
            self.until = now + TURN;
        }
        let rank = |&(id, _): &(SubscriptionId, bool)| {
            let had = self.had[&id];
            let turns = had.picture.as_micros() / TURN.as_micros();
            (!ends && !self.chosen.contains(&id), turns, had.last, id)
        };
        let mut order: Vec<_> = all.iter().map(rank).collect();
        order.sort_unstable();
        self.chosen = order.into_iter().take(places).map(|(.., id)| id).collect();
        &self.chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_millis(200);

    /// Subscriptions whose picture flows as soon as they are chosen, and what each has had in ticks.
    #[derive(Default)]
    struct Room {
        turns: Turns,
        ticks: u64,
        had: HashMap<SubscriptionId, i64>,
        flowing: HashSet<SubscriptionId>,
    }

    impl Room {
        fn run(&mut self, ids: std::ops::Range<u64>, places: usize, ticks: u64) {
            for _ in 0..ticks {
                self.ticks += 1;
                let now = Time::from_micros(1_000_000) + TICK * self.ticks as u32;
                let all: Vec<_> = ids.clone().map(|id| (id, self.flowing.contains(&id))).collect();
                self.flowing = self.turns.choose(now, &all, places).clone();
                assert_eq!(self.flowing.len(), places.min(all.len()));
                for id in ids.clone() {
                    *self.had.entry(id).or_default() += i64::from(self.flowing.contains(&id));
                }
            }
        }

        fn spread(&self, ids: std::ops::Range<u64>) -> i64 {
            let had = || ids.clone().map(|id| self.had[&id]);
            had().max().unwrap() - had().min().unwrap()
        }
    }

    #[test]
    fn nobody_is_two_turns_ahead_however_the_places_change() {
        let mut room = Room::default();
        for places in [7, 2, 9, 1, 15, 3, 3, 8, 1, 4].repeat(20) {
            room.run(0..16, places, 7);
            assert!(room.spread(0..16) < 40, "{places}: {:?}", room.had);
        }
        assert!(room.had.values().all(|had| *had > 300), "{:?}", room.had);
    }

    #[test]
    fn a_turn_lasts() {
        let mut room = Room::default();
        room.run(0..16, 4, 1);
        for _ in 0..8 {
            let before = room.flowing.clone();
            room.run(0..16, 4, 19);
            assert_eq!(room.flowing, before);
            room.run(0..16, 4, 1);
            assert!(room.flowing.is_disjoint(&before));
        }
    }

    #[test]
    fn who_joins_neither_waits_for_all_nor_keeps_them_waiting() {
        let mut room = Room::default();
        room.run(0..8, 4, 1_000);
        room.had.clear();
        room.run(0..12, 4, 600);
        assert!(room.spread(0..12) <= 41, "{:?}", room.had);
    }

    #[test]
    fn who_was_chosen_and_saw_nothing_is_chosen_again() {
        let mut turns = Turns::default();
        let all = |flows| [(1, flows), (2, false)];
        let now = Time::from_micros(1_000_000);
        assert!(turns.choose(now, &all(false), 1).contains(&1));
        // No keyframe has come for it.
        assert!(turns.choose(now + TURN, &all(false), 1).contains(&1));
        assert!(turns.choose(now + TURN + TICK, &all(true), 1).contains(&1));
        assert!(turns.choose(now + TURN * 2, &all(true), 1).contains(&2));
    }
}
