//! A peer sends its first check as soon as it has the answer, and not every peer sends a second.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use proto::message::{Extensions, IceCredentials, TransportSpec};
use proto::stun::{self, BindingRequest};
use proto::{Command, Config};
use udp::{Node, Options};

const TRANSPORTS: u64 = 200;
/// Datagrams of nobody before each check: one batch of the worker, with the check in it.
const STRAYS: usize = 31;

fn credentials(side: &str, id: u64) -> IceCredentials {
    IceCredentials { ufrag: format!("{side}{id:05}"), pwd: format!("{side}-password-of-peer-{id:05}") }
}

fn spec(id: u64) -> TransportSpec {
    TransportSpec {
        id,
        local: credentials("e", id),
        remote: credentials("p", id),
        dial: None,
        extensions: Extensions::default(),
        transport_cc: false,
        remb: false,
        cname: "c".into(),
    }
}

fn check(id: u64) -> Vec<u8> {
    let (local, remote) = (credentials("e", id), credentials("p", id));
    let mut transaction_id = [0; 12];
    transaction_id[..8].copy_from_slice(&id.to_be_bytes());
    let mut data = Vec::new();
    BindingRequest {
        transaction_id,
        username: &format!("{}:{}", local.ufrag, remote.ufrag),
        key: local.pwd.as_bytes(),
        priority: 1,
        controlling: Some(id),
        use_candidate: true,
    }
    .write(&mut data);
    data
}

#[test]
fn a_check_that_follows_its_order_is_answered() {
    let bind = vec![IpAddr::from(Ipv4Addr::LOCALHOST)];
    let node = Node::start(Options { bind, port: 0, config: Config::default() }).unwrap();
    let engine = SocketAddr::from((Ipv4Addr::LOCALHOST, node.port()));
    let crowd = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for id in 1..=TRANSPORTS {
        let peer = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let request = check(id);
        for _ in 0..STRAYS {
            crowd.send_to(&[0x80; 40], engine).unwrap();
        }
        node.send(Command::OpenTransport(spec(id)));
        peer.send_to(&request, engine).unwrap();
        let mut buffer = [0; 1500];
        let size = peer.recv(&mut buffer).unwrap_or_else(|error| panic!("check {id}: {error}"));
        assert!(stun::is_stun(&buffer[..size]));
    }
}
