use std::net::UdpSocket;

use super::*;
use crate::poll::Poll;
use crate::receive::Receiver;
use crate::socket::set;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn bind(ip: impl Into<IpAddr>, gro: bool) -> Socket {
    Socket::bind(SocketAddr::new(ip.into(), 0), gro).unwrap()
}

fn out(messages: &[(Option<IpAddr>, SocketAddr, &[u8], usize)]) -> Outbound {
    let mut out = Outbound::default();
    for (local, remote, data, segment) in messages {
        let start = out.bytes.len();
        out.bytes.extend_from_slice(data);
        let (len, segment) = (data.len(), *segment);
        out.transmits.push(Transmit { local: *local, remote: *remote, start, len, segment });
    }
    out
}

/// (local, remote, data) of the next `count` datagrams.
fn receive(socket: &Socket, count: usize) -> Vec<(Option<IpAddr>, SocketAddr, Vec<u8>)> {
    let mut poll = Poll::new().unwrap();
    poll.add(socket.as_raw_fd(), 0).unwrap();
    let mut receiver = Receiver::new();
    let mut received = Vec::new();
    while received.len() < count {
        let ready = poll.wait(Some(Duration::from_secs(10))).unwrap().count();
        assert!(ready > 0, "only {} of {count} datagrams came", received.len());
        receiver.receive(socket, |d| received.push((d.local, d.remote, d.data.to_vec()))).unwrap();
    }
    assert_eq!(received.len(), count);
    received
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i / 7) as u8).collect()
}

#[test]
fn gso_and_gro_change_nothing_for_the_peer() {
    let data = bytes(4 * 1200 + 321);
    for (gso, gro) in [(false, false), (true, false), (false, true), (true, true)] {
        let (from, to) = ([bind(LOOPBACK, false)], bind(LOOPBACK, gro));
        let sent = Sender::new(gso).send(&from, &out(&[(None, to.address(), &data, 1200)]));
        assert_eq!((sent.datagrams, sent.bytes, sent.dropped), (5, data.len() as u64, 0));
        let received = receive(&to, 5);
        for ((local, remote, datagram), expected) in received.iter().zip(data.chunks(1200)) {
            assert_eq!(datagram, expected, "gso {gso} gro {gro}");
            assert_eq!((*local, *remote), (Some(LOOPBACK), from[0].address()));
        }
    }
}

#[test]
fn a_run_longer_than_the_kernel_takes_is_split() {
    let (from, to) = ([bind(LOOPBACK, false)], bind(LOOPBACK, true));
    let data = bytes(150 * 100);
    let sent = Sender::new(true).send(&from, &out(&[(None, to.address(), &data, 100)]));
    assert_eq!((sent.datagrams, sent.dropped, sent.calls), (150, 0, 1));
    let received = receive(&to, 150);
    assert!(received.iter().map(|(_, _, d)| d.as_slice()).eq(data.chunks(100)));
}

#[test]
fn a_dead_destination_harms_no_other() {
    let (from, to) = ([bind(LOOPBACK, false)], bind(LOOPBACK, false));
    let dead = bind(LOOPBACK, false).address();
    // Broadcast without SO_BROADCAST is EACCES at once.
    let forbidden = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    let mut sender = Sender::new(true);
    for round in 0..20 {
        let data = [round; 30];
        let messages: Vec<_> =
            [dead, forbidden, to.address(), dead].iter().map(|r| (None, *r, data.as_slice(), 10)).collect();
        let sent = sender.send(&from, &out(&messages));
        assert_eq!((sent.datagrams, sent.dropped), (9, 3));
        assert!(receive(&to, 3).iter().all(|(_, _, d)| d == &[round; 10]));
    }
}

#[test]
fn an_address_without_socket_is_counted_and_skipped() {
    let (from, to) = ([bind(LOOPBACK, false)], bind(LOOPBACK, false));
    let v6 = SocketAddr::from((Ipv6Addr::LOCALHOST, 9));
    let elsewhere = Some(IpAddr::from([127, 9, 9, 9]));
    let messages: [(_, _, &[u8], _); 3] = [
        (None, v6, b"abc", 3),
        (elsewhere, to.address(), b"def", 3),
        (Some(LOOPBACK), to.address(), b"ghi", 3),
    ];
    let sent = Sender::new(true).send(&from, &out(&messages));
    assert_eq!((sent.datagrams, sent.dropped), (1, 2));
    assert_eq!(receive(&to, 1)[0].2, b"ghi");
}

#[test]
fn a_path_that_refuses_gso_gets_single_datagrams() {
    let (from, to) = ([bind(LOOPBACK, false)], bind(LOOPBACK, true));
    // Without checksums the kernel takes no GSO message (udp_send_skb: EINVAL).
    set(&from[0], libc::SOL_SOCKET, libc::SO_NO_CHECK, 1).unwrap();
    let data = bytes(950);
    let mut sender = Sender::new(true);
    for calls in [1 + 1 + 10, 1] {
        let other = (None, to.address(), [1u8; 5].as_slice(), 5);
        let sent = sender.send(&from, &out(&[(Some(LOOPBACK), to.address(), &data, 100), other]));
        assert_eq!((sent.datagrams, sent.dropped, sent.calls), (11, 0, calls));
        let received = receive(&to, 11);
        assert!(received[..10].iter().map(|(_, _, d)| d.as_slice()).eq(data.chunks(100)));
    }
    assert!(sender.refusals.refuses([127, 0, 0, 200].into(), 100));
    assert!(!sender.refusals.refuses([127, 0, 1, 1].into(), 100));
}

#[test]
fn refusals_know_sizes_and_stay_bounded() {
    let mut refusals = Refusals::default();
    refusals.remember([10, 0, 0, 1].into(), 1400);
    refusals.remember([10, 0, 0, 2].into(), 1300);
    assert!(refusals.refuses([10, 0, 0, 3].into(), 1300));
    assert!(!refusals.refuses([10, 0, 0, 3].into(), 1299));
    for i in 0..=MAX_REFUSALS as u32 * 3 {
        refusals.remember(Ipv4Addr::from(i << 8).into(), 0);
    }
    assert!(refusals.by_network.len() <= MAX_REFUSALS);
    let v6: IpAddr = "2001:db8:1:2::3".parse().unwrap();
    assert_eq!(network(v6), "2001:db8:1::".parse::<IpAddr>().unwrap());
}

#[test]
fn the_reply_leaves_from_the_address_received_on() {
    let wildcard = bind(Ipv4Addr::UNSPECIFIED, false);
    let on_loopback = b"lo\0";
    // SAFETY: the option's value is a live C string of the length given.
    let result = unsafe {
        libc::setsockopt(
            wildcard.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            on_loopback.as_ptr().cast(),
            on_loopback.len() as u32,
        )
    };
    assert_eq!(result, 0);
    let port = wildcard.address().port();
    let client = UdpSocket::bind((LOOPBACK, 0)).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let alias = SocketAddr::from(([127, 0, 0, 7], port));
    client.send_to(b"?", alias).unwrap();
    let (local, remote, _) = receive(&wildcard, 1).remove(0);
    assert_eq!((local, remote), (Some(alias.ip()), client.local_addr().unwrap()));
    for gso in [false, true] {
        let sent =
            Sender::new(gso).send(std::slice::from_ref(&wildcard), &out(&[(local, remote, b"abcd", 2)]));
        assert_eq!((sent.datagrams, sent.dropped), (2, 0));
        for expected in [b"ab", b"cd"] {
            let mut buffer = [0; 16];
            let (len, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from), (expected.as_slice(), alias));
        }
    }
}

#[test]
fn ipv6_carries_packet_info_and_gso_too() {
    let (from, to) =
        ([bind(LOOPBACK, false), bind(Ipv6Addr::LOCALHOST, false)], bind(Ipv6Addr::LOCALHOST, true));
    let sent = Sender::new(true).send(&from, &out(&[(None, to.address(), &bytes(2500), 1000)]));
    assert_eq!((sent.datagrams, sent.dropped), (3, 0));
    for (local, remote, _) in receive(&to, 3) {
        assert_eq!((local, remote), (Some(Ipv6Addr::LOCALHOST.into()), from[1].address()));
    }
}
