//! Counters that one worker writes and anybody reads: relaxed atomics, no locks.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter or gauge with a single writer, so that adding is a load and a store.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }

    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! stats {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$field_doc])* pub $field: Counter),* }

        impl $name {
            /// Add another's values: of counters that is a total, of gauges it means nothing.
            pub fn absorb(&self, other: &$name) {
                $(self.$field.add(other.$field.get());)*
            }

            /// Every counter by its name.
            pub fn snapshot(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($field), self.$field.get())),*]
            }
        }
    };
}

stats! {
    /// One ICE + DTLS-SRTP association.
    TransportStats {
        packets_received, bytes_received, packets_sent, bytes_sent,
        /// Datagrams that failed authentication, were replayed or malformed.
        packets_refused,
        /// Smoothed round trip of our own STUN requests in microseconds.
        rtt_us,
        queue_packets, queue_dropped,
        paths_changed,
    }
}

stats! {
    /// One Track, all encodings together.
    TrackStats {
        packets, bytes, lost, recovered, duplicates, padding_dropped, keyframes, nack_sent, pli_sent,
        /// Bits per second over the last second.
        bitrate_bps,
        /// Loudness by RFC 6464 in hundredths of dB above -127 dBov, smoothed; 0 is silent or untold.
        audio_level,
    }
}

impl TrackStats {
    /// A packet's level: -dBov in the lower seven bits, voice activity above. An eighth a packet: 160 ms
    /// of 20 ms packets, shorter than a syllable is long.
    pub fn hear(&self, level: u8) {
        let heard = u64::from(127 - (level & 0x7F)) * 100;
        self.audio_level.set((self.audio_level.get() * 7 + heard) / 8);
    }
}

stats! {
    /// One participant receiving one Track.
    SubscriptionStats {
        packets, bytes, nack_received, rtx_sent, rtx_missed, pli_received, switches, replayed,
        /// From the peer's last receiver report.
        lost, fraction_lost_256, jitter_us, rtt_us,
        /// Packets withheld while paused because of load.
        shed,
        /// Index of the encoding that is being sent, plus one; 0 while nothing is.
        encoding,
    }
}

stats! {
    /// One worker thread.
    WorkerStats {
        packets_received, bytes_received, packets_sent, bytes_sent, sends, send_errors,
        stun_requests, stun_refused, dtls_dropped, unroutable, strays, events_dropped,
        /// Media for other workers that found their inboxes full.
        messages_dropped,
        transports, subscriptions,
        /// Standing lateness in microseconds: what was read last had waited at least this long.
        lateness_us,
        /// Whether new seats are refused, and subscriptions that receive less than they want, or nothing,
        /// because of load.
        seats_refused, stepped_down, paused,
        /// Sum and count of microseconds between a packet's arrival and its last send.
        forward_us, forward_count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loudness_follows_the_levels_and_falls_to_silence() {
        let stats = TrackStats::default();
        for _ in 0..100 {
            stats.hear(0x80 | 20);
        }
        assert!((10_600..=10_700).contains(&stats.audio_level.get()));
        for _ in 0..100 {
            stats.hear(127);
        }
        assert!(stats.audio_level.get() < 100);
    }
}
