//! What the targets do with an input: the same as the seeded tests of `proto`.

#[path = "../../crates/proto/tests/exercise/mod.rs"]
pub mod exercise;
