//! The library on tokio, on smol, on every combination, and on each of them as a runtime of unknown type.

#![forbid(unsafe_code)]

use ecosystem_library::connect_first;
use polyloop_conformance::{LIMIT, watched};
use polyloop_traits::{AnyRuntime, Erasable, Runtime, Smol, TcpListener, TcpStream, Tokio};
use rustix::net::{AddressFamily, SocketType, bind, getsockname, listen, socket};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

/// A pause that ends only if somebody waits for it in vain.
const LONG: Duration = Duration::from_secs(3600);

/// An address where nobody listens: it was free a moment ago.
fn nobody() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn the_first_that_answers_wins<R: Runtime>(rt: &R) {
    rt.block_on(async {
        let listener = rt.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let here = listener.local_addr().unwrap();
        // Who refuses is not waited for, and who comes after the one that answers is not asked.
        let stream = connect_first(rt, &[nobody(), nobody(), here, nobody()], LONG).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), here);
        listener.accept().await.unwrap();

        let refused = connect_first(rt, &[nobody(), nobody()], LONG).await.err().unwrap();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        let nothing = connect_first(rt, &[], LONG).await.err().unwrap();
        assert_eq!(nothing.kind(), ErrorKind::InvalidInput);
    });
}

/// An address that answers nothing: its queue of connections is full, and the kernel drops who knocks.
struct Silent {
    address: SocketAddr,
    _full: (OwnedFd, Vec<std::net::TcpStream>),
}

impl Silent {
    fn new() -> Self {
        let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        listen(&listener, 0).unwrap();
        let address = SocketAddr::try_from(getsockname(&listener).unwrap()).unwrap();
        let knock = || std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok();
        let answered: Vec<_> = std::iter::from_fn(knock).take(20).collect();
        assert!(answered.len() < 20, "the queue is never full");
        Self { address, _full: (listener, answered) }
    }

    /// How many of this machine's sockets knock at it and were not answered.
    fn knocking(&self) -> usize {
        const SYN_SENT: &str = "02";
        let remote = format!("0100007F:{:04X}", self.address.port());
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let is_here = |line: &str| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next() == Some(&remote) && fields.next() == Some(SYN_SENT)
        };
        sockets.lines().filter(|line| is_here(line)).count()
    }
}

/// The pause after an address that keeps silent is waited for, and no longer.
fn who_does_not_answer_is_passed_over_after_the_pause<R: Runtime>(rt: &R) {
    let silent = Silent::new();
    rt.block_on(async {
        let listener = rt.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let here = listener.local_addr().unwrap();
        let (start, pause) = (rt.now(), Duration::from_millis(20));
        let stream = connect_first(rt, &[silent.address, here], pause).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), here);
        assert!(rt.now() - start >= pause, "it had its time for itself");
        settled(rt, || silent.knocking() == 0, "the attempt that lost goes on").await;
    });
}

/// Whoever drops the future leaves no attempt behind.
fn a_dropped_future_gives_its_attempts_up<R: Runtime>(rt: &R) {
    let silent = Silent::new();
    rt.block_on(async {
        {
            let addrs = [silent.address; 2];
            let mut connecting = pin!(connect_first(rt, &addrs, Duration::ZERO));
            let mut poll = || connecting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending();
            settled(rt, || poll() && silent.knocking() == 2, "the attempts are not under way").await;
        }
        settled(rt, || silent.knocking() == 0, "an attempt goes on after its future").await;
    });
}

/// Waits until `holds`; what happens otherwise, says `otherwise`.
async fn settled<R: Runtime>(rt: &R, mut holds: impl FnMut() -> bool, otherwise: &str) {
    let start = rt.now();
    while !holds() {
        assert!(rt.now() - start < Duration::from_secs(10), "{otherwise}");
        rt.sleep(Duration::from_millis(1)).await;
    }
}

fn all<R: Runtime>(rt: &R) {
    the_first_that_answers_wins(rt);
    who_does_not_answer_is_passed_over_after_the_pause(rt);
    a_dropped_future_gives_its_attempts_up(rt);
}

fn on(name: &str, rt: impl Erasable) {
    watched(name, 6 * LIMIT, move || {
        all(&rt);
        all(&AnyRuntime::new(rt));
    });
}

fn ours(combination: &str) {
    let runtime = polyloop::Runtime::from_name(combination).unwrap();
    on(combination, runtime.handle().clone());
}

macro_rules! ours {
    ($(($id:ident $combination:literal))* =>) => {
        $(#[test] fn $id() { ours($combination) })*
    };
}

polyloop::for_each_combination!(ours);

#[test]
fn tokio() {
    on("tokio_ct", Tokio::current_thread().unwrap());
    on("tokio_mt", Tokio::multi_thread(2).unwrap());
}

#[test]
fn smol() {
    on("smol_1", Smol::one_thread());
    on("smol_n", Smol::threads(2).unwrap());
}
