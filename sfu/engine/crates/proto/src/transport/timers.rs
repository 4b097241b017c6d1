//! What a transport does when time has come: checks of its paths, feedback to a publisher, reports to a
//! subscriber.

use std::time::Duration;

use super::{Context, Transport, ROUND_TRIP};
use crate::config::Config;
use crate::rtcp;
use crate::subscription::Subscription;
use crate::time::Time;

/// Sender reports once a second (RFC 3550 section 6.2 allows less than 5 s for small sessions).
const REPORT: Duration = Duration::from_secs(1);

impl Transport {
    /// Timers: checks, feedback to the publisher, reports to the subscriber.
    pub fn handle_timeout(
        &mut self,
        cx: &mut Context<'_>,
        reports: impl FnMut(&mut Subscription) -> Option<rtcp::SenderInfo>,
    ) {
        self.write_checks(cx);
        if self.keys.is_some() {
            let rtt = self.ice.rtt().unwrap_or(ROUND_TRIP);
            let mut packet = Vec::new();
            if self.receiver.poll_rtcp(cx.now, rtt, &cx.config.limits, &mut packet, cx.events) {
                self.rtcp.push_back(packet);
            }
            self.write_reports(cx.now, cx.now, reports);
        }
        self.tidy();
    }

    fn tidy(&mut self) {
        self.queues.shrink();
        self.stats.queue_packets.set(self.queues.len() as u64);
    }

    fn write_checks(&mut self, cx: &mut Context<'_>) {
        while self.ice.next_check() <= cx.now {
            let mut check = Vec::new();
            match self.ice.poll_check(cx.now, cx.rng, &mut check) {
                Some(pair) => self.raw.push_back((pair, check)),
                None if self.ice.next_check() <= cx.now => break,
                None => {}
            }
        }
    }

    /// A frame is about to leave, and what would be due by `until` may leave with it: alone it would cost a
    /// wake-up of the worker.
    pub fn handle_early(
        &mut self,
        cx: &mut Context<'_>,
        until: Time,
        reports: impl FnMut(&mut Subscription) -> Option<rtcp::SenderInfo>,
    ) {
        if self.ice.next_measure() <= until {
            self.ice.measure(cx.now);
            self.write_checks(cx);
        }
        if self.next_report() <= until {
            self.write_reports(cx.now, until, reports);
            self.tidy();
        }
    }

    pub fn next_deadline(&self, config: &Config) -> Time {
        let mut next = self.ice.next_check().min(self.ice.consent_end(config.limits.consent));
        if self.keys.is_some() {
            next = next.min(self.receiver.next_deadline());
            if self.ice.media_pair().is_some() {
                next = next.min(self.next_send()).min(self.next_report());
            }
        } else {
            next = next.min(self.since + config.limits.connect);
        }
        next
    }

    /// When the next sender report is due.
    pub fn next_report(&self) -> Time {
        self.subscriptions.iter().flatten().map(|s| s.next_report).min().unwrap_or(Time::FAR)
    }

    /// Sender reports of the subscriptions for which one is due until then, with the CNAME that ties sound to
    /// picture.
    pub fn write_reports(
        &mut self,
        now: Time,
        until: Time,
        mut info: impl FnMut(&mut Subscription) -> Option<rtcp::SenderInfo>,
    ) {
        if self.ice.media_pair().is_none() {
            return;
        }
        let mut packet = Vec::new();
        let mut first = None;
        for subscription in self.subscriptions.iter_mut().flatten() {
            if subscription.next_report > until {
                continue;
            }
            subscription.next_report = now + REPORT;
            if let Some(info) = info(subscription) {
                rtcp::write_sr(&mut packet, subscription.ssrc, info, &[]);
                rtcp::write_sdes_cname(&mut packet, subscription.ssrc, &self.cname);
                first.get_or_insert(subscription.ssrc);
            }
        }
        if !packet.is_empty() {
            self.rtcp.push_back(packet);
        }
    }
}
