//! The library on tokio, on smol, on every combination, and on each of them as a runtime of unknown type.

#![forbid(unsafe_code)]

use ecosystem_library::connect_first;
use polyloop_traits::{AnyRuntime, Runtime, Smol, TcpListener, TcpStream, Tokio, Udp};
use std::io::ErrorKind;
use std::net::SocketAddr;
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

fn on<R: Runtime + Udp>(rt: R) {
    the_first_that_answers_wins(&rt);
    the_first_that_answers_wins(&AnyRuntime::new(rt));
}

fn ours(combination: &str) {
    let runtime = polyloop::Runtime::from_name(combination).unwrap();
    on(runtime.handle().clone());
}

macro_rules! ours {
    ($(($id:ident $combination:literal))* =>) => {
        $(#[test] fn $id() { ours($combination) })*
    };
}

polyloop::for_each_combination!(ours);

#[test]
fn tokio() {
    on(Tokio::current_thread().unwrap());
    on(Tokio::multi_thread(2).unwrap());
}

#[test]
fn smol() {
    on(Smol::one_thread());
    on(Smol::threads(2).unwrap());
}
