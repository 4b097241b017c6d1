//! Sockets and worker threads: the driver of `proto`. Nothing here knows Python.
//!
//! One UDP port, and for every worker thread its own SO_REUSEPORT socket on every bound address. A
//! thread receives (recvmmsg, GRO; RFC 4571 frames over TCP), feeds its [`proto::worker::Worker`], sends what comes out
//! (sendmmsg of GSO messages) and sleeps until the worker's next deadline.

mod address;
pub mod bench;
pub mod clock;
mod cmsg;
mod events;
mod inbox;
mod node;
mod poll;
mod priority;
mod probe;
mod receive;
mod send;
mod socket;
mod tcp;
mod thread;
mod wake;

pub use clock::Clock;
pub use events::Events;
pub use node::{Node, Options};
pub use poll::Poll;
pub use probe::Probe;
pub use receive::{Datagram, Receiver};
pub use send::{Sender, Sent};
pub use socket::{bind_group, Socket};
pub use wake::Wake;
