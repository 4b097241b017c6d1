//! The pure core of the engine: bytes and a time go in, bytes, events and the next deadline come out.
//!
//! # Driving contract
//!
//! A [`Worker`](worker::Worker) is driven by exactly one thread. Give it one input
//! (`handle_datagram`, `handle_message` or `handle_timeout`), as many as there are at the moment, then
//! drain its outputs: `poll_message`, so that other workers begin at the same time, `poll_transmit` until it
//! says that nothing is left, `poll_message` once more, `poll_event`.
//! Then sleep until `poll_timeout` or the next input; while `poll_rest` says so, input may wait. Time never goes back; it is an argument everywhere.
//!
//! Several workers make one node: each owns a share of the transports, and they exchange
//! [`Message`](message::Message)s that the driver carries in order. A test carries them by hand.

pub mod codec;
pub mod codec_match;
pub mod config;
pub mod directory;
pub mod egress;
pub mod extension;
pub mod ice;
pub mod load;
pub mod message;
pub mod nack;
pub mod outbound;
pub mod packet;
mod prefetch;
pub mod receive;
pub mod receive_stats;
pub mod red;
pub mod ring;
pub mod route;
pub mod rtcp;
pub mod rtp;
pub mod seq;
pub mod srtp;
pub mod stats;
pub mod stun;
pub mod subscription;
pub mod tap;
#[cfg(test)]
mod testing;
pub mod time;
pub mod timeline;
pub mod track;
pub mod transport;
pub mod twcc;
pub mod worker;

pub use config::{Config, Limits};
pub use message::{Command, Event, Message};
pub use outbound::{Outbound, Transmit};
pub use time::Time;
