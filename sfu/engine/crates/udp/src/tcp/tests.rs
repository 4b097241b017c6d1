use super::*;
use proto::Transmit;
use std::net::{Ipv4Addr, Ipv6Addr};

fn pair() -> (TcpPeers, TcpStream, u32) {
    pair_within(Limits::default())
}

fn pair_within(limits: Limits) -> (TcpPeers, TcpStream, u32) {
    let mut group = listen_group(&[Ipv4Addr::LOCALHOST.into()], 0, 1).unwrap();
    let mut peers = TcpPeers::new(group.remove(0), Arc::default(), limits);
    let client = TcpStream::connect(peers.listeners.address()).unwrap();
    let mut accepted = None;
    while accepted.is_none() {
        peers.accept(0, Time::ZERO, |_, number| {
            accepted = Some(number);
            Ok(())
        });
    }
    (peers, client, accepted.unwrap())
}

fn serve(peers: &mut TcpPeers, number: u32, want: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut got = Vec::new();
    for _ in 0..1_000 {
        peers.serve(number, Time::ZERO, |_, from, data| got.push((from, data.to_vec())));
        if got.len() >= want || peers.reading.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    got
}

#[test]
fn frames_come_whole_however_they_are_cut_and_answers_go_back() {
    let (mut peers, mut client, number) = pair();
    client.set_nodelay(true).unwrap();
    for piece in [&b"\x00"[..], b"\x03on", b"e\x00\x03two\x00", b"\x00\x00\x05three"] {
        client.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(2));
    }
    let got = serve(&mut peers, number, 4);
    let texts: Vec<&[u8]> = got.iter().map(|(_, data)| &data[..]).collect();
    assert_eq!(texts, [&b"one"[..], b"two", b"", b"three"]);
    let remote = got[0].0;
    assert_eq!(super::number(remote), Some(number));
    assert_eq!(remote.port(), client.local_addr().unwrap().port());

    let bytes = b"abcdefghij".to_vec();
    let transmit = Transmit { local: None, remote, start: 0, len: 10, segment: 4 };
    assert_eq!(peers.connections.send(&Outbound { bytes, transmits: vec![transmit] }), 0);
    let mut answer = [0; 16];
    client.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\x00\x04abcd\x00\x04efgh\x00\x02ij");
}

#[test]
fn who_reads_nothing_costs_a_bounded_buffer() {
    let (peers, _client, number) = pair();
    let remote = peers.reading[&number].connection.name;
    let out = Outbound {
        bytes: vec![7; 60_000],
        transmits: vec![Transmit { local: None, remote, start: 0, len: 60_000, segment: 1_200 }],
    };
    let dropped: u64 = (0..400).map(|_| peers.connections.send(&out)).sum();
    assert!(dropped > 0);
    assert!(peers.reading[&number].connection.pending.lock().unwrap().len() <= 256 * 1024);
}

#[test]
fn one_address_holds_so_many_connections_and_no_more() {
    let (mut peers, _first, _) = pair_within(Limits { tcp_connections_per_address: 2, ..Limits::default() });
    let address = peers.listeners.address();
    let others: Vec<TcpStream> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
    // The two that are refused read their end.
    let mut ended = 0;
    while ended < 2 {
        peers.accept(0, Time::ZERO, |_, _| Ok(()));
        ended = others
            .iter()
            .filter(|stream| {
                stream.set_nonblocking(true).unwrap();
                let read = (&**stream).read(&mut [0; 1]);
                !read.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
            })
            .count();
    }
    assert_eq!(peers.reading.len(), 2);
}

#[test]
fn who_sends_without_end_is_served_in_turns() {
    let (mut peers, mut client, number) = pair();
    let frame = [&1_000u16.to_be_bytes()[..], &[7; 1_000]].concat();
    client.write_all(&frame.repeat(200)).unwrap();
    let (mut got, mut turns) = (0, 0);
    while got < 200 {
        let before = got;
        peers.serve(number, Time::ZERO, |_, _, _| got += 1);
        // And the one of which the turn before had read a part.
        let most = READS * 16 * 1024 / frame.len() + 1;
        assert!(got - before <= most, "{} frames in a turn", got - before);
        turns += usize::from(peers.has_unfinished());
        assert!(peers.take_unfinished().iter().all(|&n| n == number));
    }
    assert!(turns >= 2, "{turns} turns ended before the data did");
}

#[test]
fn nonsense_silence_and_the_end_close() {
    let (mut peers, mut client, number) = pair();
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap(); // a frame of 18,245 bytes
    assert!(serve(&mut peers, number, 1).is_empty());
    assert!(peers.reading.is_empty() && peers.connections.get(number).is_none());

    let (mut peers, client, number) = pair();
    drop(client);
    serve(&mut peers, number, 1);
    assert!(peers.reading.is_empty());

    let (mut peers, _client, _) = pair();
    peers.sweep(Time::ZERO + IDLE);
    assert_eq!(peers.reading.len(), 1);
    peers.sweep(Time::ZERO + IDLE + Duration::from_secs(1));
    assert!(peers.reading.is_empty());
}

#[test]
fn a_tcp_peer_is_never_a_udp_peer() {
    let remote: SocketAddr = "192.0.2.1:5000".parse().unwrap();
    assert_eq!(number(remote), None);
    assert_eq!(number("[2001:db8::1]:5000".parse().unwrap()), None);
    assert_eq!(number(name(7, remote)), Some(7));
    assert_ne!(name(7, remote), name(8, remote));
    assert_eq!(name(7, remote).ip(), IpAddr::V6(Ipv6Addr::from([0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201])));
}

#[test]
fn who_comes_when_no_descriptor_is_left_is_turned_away() {
    let this = std::env::current_exe().unwrap();
    let alone = ["--ignored", "--exact", "tcp::tests::out_of_descriptors", "--test-threads=1"];
    let run = std::process::Command::new(this).args(alone).output().unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "lowers the limit of its process: another test runs it in one of its own"]
fn out_of_descriptors() {
    let (mut peers, _client, _) = pair();
    let mut late = TcpStream::connect(peers.listeners.address()).unwrap();
    late.set_nonblocking(true).unwrap();
    let lowest_free = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as libc::rlim_t;
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls take a live rlimit.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = lowest_free;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
    // Closed, not kept waiting: else the listener would be readable for ever.
    let closed = (0..1_000).any(|_| {
        peers.accept(0, Time::ZERO, |_, _| panic!("there is no descriptor for it"));
        std::thread::sleep(Duration::from_millis(1));
        !matches!(late.read(&mut [0; 1]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    });
    assert!(closed);
    assert_eq!(peers.reading.len(), 1);
}
