//! A thousand slow clients, a byte each per 10 s, and one good one, which must not notice.

#![forbid(unsafe_code)]

use ecosystem_support::{Program, on_each, skip};
use polyloop_conformance::{Sentinels, block_thread};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const SLOW: usize = 1000;
/// One slow client after the other sends a byte, so that each does in 10 s.
const PACE: Duration = Duration::from_millis(10_000 / SLOW as u64);
/// What the good client asks for.
const REQUESTS: usize = 200;
/// The bound on the good client's p99, in ticks of about a millisecond in which the machine let threads run.
const BOUND: u64 = 100;

/// Raises the limit on open files for this process and the programs that it starts.
fn may_open(files: u64) -> bool {
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= files);
    if !enough(limit.maximum) {
        return false;
    }
    enough(limit.current) || setrlimit(Resource::Nofile, Rlimit { current: Some(files), ..limit }).is_ok()
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

/// One request on a connection that stays.
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.ends_with(b"hello\n") {
        let n = stream.read(&mut buffer).unwrap();
        assert_ne!(n, 0, "the server closed: {}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&buffer[..n]);
    }
}

fn a_thousand_slow_clients_do_not_hold_up_a_good_one(combination: &str) {
    if !may_open(SLOW as u64 + 200) {
        let name = format!("a_thousand_slow_clients_do_not_hold_up_a_good_one::{combination}");
        return skip(&name, "the limit on open files is too low (ulimit -n)");
    }
    let mut router = Program::start(env!("CARGO_BIN_EXE_router"), combination, [] as [&str; 0]);
    let address = router.address();
    let mut slow: Vec<_> = (0..SLOW).map(|_| connect(address)).collect();
    slow.iter_mut().for_each(|slow| slow.write_all(b"G").unwrap());
    let mut good = connect(address);
    ask(&mut good);

    let sentinels = Sentinels::start(2);
    let clock = sentinels.clock();
    let mut rest = b"ET / HTTP/1.1\r\n".iter().cycle();
    let mut took = Vec::new();
    for slow in slow.iter_mut().take(REQUESTS) {
        // On a machine that is busy enough its 10 s have passed, and it was closed.
        let _ = slow.write_all(&[*rest.next().unwrap()]);
        let before = clock.now();
        ask(&mut good);
        took.push(clock.since(&before));
        block_thread(PACE);
    }
    took.sort_unstable();
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 <= BOUND, "{combination}: p99 {p99} ticks of {took:?}");
    router.facts().assert_native(combination);
    drop((slow, good));
    router.finish();
}
on_each!(a_thousand_slow_clients_do_not_hold_up_a_good_one);
