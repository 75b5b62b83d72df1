//! A thousand slow clients, a byte each per 10 s, and one good one, which must not notice; nor, on some combinations, when the server
//! closes all of them at once, which is after 10 s, and they come again.

#![forbid(unsafe_code)]

use ecosystem_support::{Program, on_each, skip};
use polyloop_conformance::{Sentinels, block_thread};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SLOW: usize = 1000;
/// One slow client after the other sends a byte, so that each does in 10 s.
const PACE: Duration = Duration::from_millis(10_000 / SLOW as u64);
/// How often the good client asks: first in peace, and then while the slow ones are closed, for 13 s in all.
const IN_PEACE: usize = 900;
const IN_THE_WAVE: usize = 400;
/// How often where nobody waits for that wave, for 2 s.
const WITHOUT_WAVE: usize = 200;
/// Where it is waited for: schedulers that have their own way with many wakes at once, and both timer queues.
const WAVES: [&str; 4] = ["fifo+mio+wheel", "steal+mio+wheel", "percore+mio+wheel", "steal+poll+heap"];
/// One test at a time: they measure, and each has that many files open.
static ALONE: Mutex<()> = Mutex::new(());
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

/// A client that has sent the beginning of a request.
fn slow(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.write_all(b"G").unwrap();
    stream
}

/// Whether the server has closed this one. It sends nothing to those who have not asked.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).unwrap();
    !peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}

fn p99(mut took: Vec<u64>) -> u64 {
    took.sort_unstable();
    took[took.len() * 99 / 100]
}

fn a_thousand_slow_clients_do_not_hold_up_a_good_one(combination: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if !may_open(2 * SLOW as u64 + 200) {
        let name = format!("a_thousand_slow_clients_do_not_hold_up_a_good_one::{combination}");
        return skip(&name, "the limit on open files is too low (ulimit -n)");
    }
    let mut router = Program::start(env!("CARGO_BIN_EXE_router"), combination, [] as [&str; 0]);
    let address = router.address();
    let mut clients: Vec<_> = (0..SLOW).map(|_| slow(address)).collect();
    let mut good = connect(address);
    ask(&mut good);

    let sentinels = Sentinels::start(2);
    let clock = sentinels.clock();
    let rest = b"ET / HTTP/1.1\r\n";
    let (mut turns, mut came_again) = (0.., [false; SLOW]);
    let mut p99_of = |times| {
        let took = turns.by_ref().take(times).map(|turn| {
            let client = &mut clients[turn % SLOW];
            if is_closed(client) {
                *client = slow(address);
                came_again[turn % SLOW] = true;
            } else {
                // The server may close it in this moment.
                let _ = client.write_all(&[rest[turn / SLOW]]);
            }
            let before = clock.now();
            ask(&mut good);
            let took = clock.since(&before);
            block_thread(PACE);
            took
        });
        p99(took.collect())
    };
    let has_wave = WAVES.contains(&combination);
    let peace = p99_of(if has_wave { IN_PEACE } else { WITHOUT_WAVE });
    assert!(peace <= BOUND, "{combination}: p99 {peace} ticks");
    if has_wave {
        let wave = p99_of(IN_THE_WAVE);
        assert!(wave <= BOUND, "{combination}: p99 {peace} ticks in peace, and {wave} in the wave");
        // Those that came in the beginning have had more than their 10 s by now, all of them.
        let first = clients.iter_mut().zip(came_again).filter(|(_, came_again)| !came_again);
        let kept = first.filter_map(|(client, _)| client.read(&mut [0]).err());
        let kept = kept.filter(|error| error.kind() == ErrorKind::WouldBlock).count();
        assert_eq!(kept, 0, "{combination}: slow clients were not closed");
        let closed_meanwhile = came_again.iter().filter(|came_again| **came_again).count();
        assert!(
            closed_meanwhile >= SLOW / 10,
            "{combination}: {closed_meanwhile} were closed while the good one asked"
        );
    }
    router.facts().assert_native(combination);
    drop((clients, good));
    router.finish();
}
on_each!(a_thousand_slow_clients_do_not_hold_up_a_good_one);
