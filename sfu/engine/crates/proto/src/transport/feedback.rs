//! RTCP from a peer: reports, retransmission and keyframe requests, arrival feedback. docs/rtcp.md has a
//! row for each.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Context, Transport, ROUND_TRIP};
use crate::message::TrackId;
use crate::packet::{Packet, Report};
use crate::rtcp;
use crate::subscription::Feed;

/// Retransmissions and NACKs are counted over this: a round trip or so.
const INTERVAL: Duration = Duration::from_millis(100);

/// What a limit per second leaves for one INTERVAL.
fn per_interval(per_s: usize) -> usize {
    per_s.div_ceil(10)
}

/// What a peer's RTCP asks of the worker.
#[derive(Debug)]
pub enum Request {
    /// The subscription at this place needs a keyframe.
    Keyframe(u16),
    /// A sender report of a track that the peer publishes.
    Report(TrackId, u8, Report),
}

impl Transport {
    /// SRTCP. `find` gets a packet from the history of a feed's track.
    pub fn handle_rtcp(
        &mut self,
        cx: &mut Context<'_>,
        remote: SocketAddr,
        data: &mut [u8],
        find: impl Fn(&Feed, u64) -> Option<Arc<Packet>>,
        requests: &mut Vec<Request>,
    ) {
        let size = data.len();
        let Some(keys) = &mut self.keys else { return };
        let Ok(len) = keys.unprotect.unprotect_rtcp(data) else {
            self.stats.packets_refused.add(1);
            return;
        };
        self.authenticated(cx, remote, size);
        for packet in rtcp::parse(&data[..len]) {
            let Ok(packet) = packet else {
                self.stats.packets_refused.add(1);
                return;
            };
            match packet {
                rtcp::Packet::SenderReport { ssrc, info, blocks } => {
                    if let Some((track, encoding, report)) =
                        self.receiver.handle_sender_report(cx.now, ssrc, info.ntp, info.rtp_time)
                    {
                        requests.push(Request::Report(track, encoding, report));
                    }
                    self.handle_blocks(cx, blocks);
                }
                rtcp::Packet::ReceiverReport { blocks, .. } => self.handle_blocks(cx, blocks),
                rtcp::Packet::Nack { media, lost, .. } => {
                    if let Some(&place) = self.by_ssrc.get(&media) {
                        for sequence in lost {
                            if !self.may_look_up(cx) {
                                break;
                            }
                            self.handle_nack(cx, place, sequence, &find);
                        }
                    }
                }
                rtcp::Packet::Pli { media, .. } => self.ask_keyframe(media, requests),
                rtcp::Packet::Fir { entries, .. } => {
                    for (media, _) in entries {
                        self.ask_keyframe(media, requests);
                    }
                }
                rtcp::Packet::Bye { ssrcs } => {
                    for ssrc in ssrcs {
                        self.receiver.handle_bye(ssrc, cx.events);
                    }
                }
                // Arrival feedback and REMB are for bandwidth estimation, which stands on the send history.
                rtcp::Packet::TransportCc(_) | rtcp::Packet::Remb { .. } => {}
                rtcp::Packet::Sdes(_) | rtcp::Packet::Xr(_) | rtcp::Packet::Other { .. } => {}
            }
        }
    }

    fn handle_blocks(&mut self, cx: &Context<'_>, blocks: rtcp::Blocks<'_>) {
        for block in blocks {
            let Some(&place) = self.by_ssrc.get(&block.ssrc) else { continue };
            let Some(Some(subscription)) = self.subscriptions.get(usize::from(place)) else { continue };
            if subscription.ssrc != block.ssrc {
                continue; // of the RTX stream
            }
            let stats = &subscription.stats;
            stats.lost.set(block.cumulative_lost.max(0) as u64);
            stats.fraction_lost_256.set(u64::from(block.fraction_lost));
            let rate = subscription.feed().map_or(90_000, |f| f.codec.clock_rate.max(1));
            stats.jitter_us.set(u64::from(block.jitter) * 1_000_000 / u64::from(rate));
            if let Some(rtt) = round_trip(cx, block.last_sr, block.delay_since_sr) {
                stats.rtt_us.set(rtt.as_micros() as u64);
            }
        }
    }

    fn ask_keyframe(&self, media: u32, requests: &mut Vec<Request>) {
        if let Some(&place) = self.by_ssrc.get(&media) {
            if let Some(Some(subscription)) = self.subscriptions.get(usize::from(place)) {
                subscription.stats.pli_received.add(1);
                requests.push(Request::Keyframe(place));
            }
        }
    }

    fn may_look_up(&mut self, cx: &Context<'_>) -> bool {
        let now = cx.now;
        let (since, count) = &mut self.nacked;
        if now.since(*since) > INTERVAL {
            (*since, *count) = (now, 0);
        }
        *count += 1;
        *count <= per_interval(cx.config.limits.nacked_per_s)
    }

    fn handle_nack(
        &mut self,
        cx: &Context<'_>,
        place: u16,
        sequence: u16,
        find: impl Fn(&Feed, u64) -> Option<Arc<Packet>>,
    ) {
        let now = cx.now;
        let Some(Some(subscription)) = self.subscriptions.get_mut(usize::from(place)) else { return };
        subscription.stats.nack_received.add(1);
        // Not again within a round trip, and not without end.
        let rtt = self.ice.rtt().unwrap_or(ROUND_TRIP).min(INTERVAL);
        while self.recent_rtx.front().is_some_and(|&(_, _, at)| now.since(at) > INTERVAL) {
            self.recent_rtx.pop_front();
        }
        if self.recent_rtx.len() >= per_interval(cx.config.limits.rtx_per_s) {
            subscription.stats.rtx_missed.add(1);
            return;
        }
        let Some(queued) = subscription.retransmit(place, sequence, find) else {
            subscription.stats.rtx_missed.add(1);
            return;
        };
        let again = self
            .recent_rtx
            .iter()
            .any(|&(p, index, at)| p == place && index == queued.index && now.since(at) < rtt);
        if !again {
            self.recent_rtx.push_back((place, queued.index, now));
            subscription.stats.rtx_sent.add(1);
            self.queues.push_rtx(queued);
        }
    }
}

/// RFC 3550 section 6.4.1: A - LSR - DLSR in units of 1/65,536 s of NTP time.
fn round_trip(cx: &Context<'_>, last_sr: u32, delay: u32) -> Option<Duration> {
    if last_sr == 0 {
        return None;
    }
    let middle = (crate::subscription::wall_ntp(cx.now, cx.config.wall_offset_us) >> 16) as u32;
    let ticks = middle.wrapping_sub(last_sr).wrapping_sub(delay);
    (ticks < 1 << 20).then(|| Duration::from_micros((u64::from(ticks) * 1_000_000) >> 16))
}
