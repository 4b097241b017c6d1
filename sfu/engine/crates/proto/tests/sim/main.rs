//! Whole nodes in simulation: seeded loss, reordering and duplication, faster than real time.
//! A failing seed is in the test's name or message; `World::new(seed, ...)` replays it.

mod attacker;
mod busy;
mod memory;
mod publisher;
mod viewer;
mod wire;
mod world;

mod clocks;
mod day;
mod forwarding;
mod frames;
mod hostile;
mod joins;
mod overload;
mod random_peer;
mod reach;
mod together;
