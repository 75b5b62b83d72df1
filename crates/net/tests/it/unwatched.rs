//! A connection that the kernel gave and the reactor has no room to watch.

use crate::rig::Rig;
use polyloop_core::Sleep;
use polyloop_core::reactor::Reactor;
use polyloop_net::unix::UnixListener;
use polyloop_net::{TcpListener, TcpStream};
use polyloop_reactor::{Chaos, ChaosControl, ChaosPlan};
use polyloop_time::ManualClock;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

const NO_ROOM: ChaosPlan = ChaosPlan { attach_fails: 1000, ..ChaosPlan::OFF };

/// A runtime whose clock moves when nothing else can happen, so that a spin would never let a pause pass.
fn rig(reactor: Box<dyn Reactor>) -> (Rig, ChaosControl) {
    let chaos = Chaos::new(reactor, 7, ChaosPlan::OFF);
    let control = chaos.control();
    (Rig::with_clock(Box::new(chaos), Arc::new(ManualClock::automatic())), control)
}

fn on_each(test: impl Fn(&str, &Rig, &ChaosControl)) {
    for (name, make) in polyloop_reactor::ALL {
        let (rig, control) = rig(make().unwrap());
        test(name, &rig, &control);
    }
}

async fn accept(listener: &TcpListener, polled: bool) -> io::Result<(TcpStream, SocketAddr)> {
    if polled { poll_fn(|cx| listener.poll_accept(cx)).await } else { listener.accept().await }
}

/// Polls `future` for so much of the driver's time. It must not end.
async fn pending_for(rig: &Rig, seconds: u64, mut future: impl Future + Unpin) {
    let driver = &rig.net.driver;
    let mut sleep = Sleep::until(driver.clone(), driver.now() + Duration::from_secs(seconds));
    poll_fn(|cx| {
        assert!(Pin::new(&mut future).poll(cx).is_pending(), "it ended");
        sleep.poll_elapsed(cx)
    })
    .await
    .unwrap();
}

#[test]
fn it_waits_without_a_spin_and_is_given_once_there_is_room() {
    on_each(|name, rig, control| {
        for polled in [false, true] {
            let (listener, address) = rig.listen();
            let mut client = std::net::TcpStream::connect(address).unwrap();
            client.write_all(b"still here").unwrap();
            rig.run(async {
                let mut accepting = pin!(accept(&listener, polled));
                control.set(NO_ROOM);
                let before = control.counts().attach_fails;
                pending_for(rig, 10, accepting.as_mut()).await;
                let tries = control.counts().attach_fails - before;
                // 5 ms doubled up to 1 s: eight, then one a second.
                assert!((10..30).contains(&tries), "{name}: {tries} tries");
                assert_eq!(rig.net.driver.registered_sources(), 1, "{name}: the listener alone");
                control.set(ChaosPlan::OFF);
                let (stream, from) = accepting.await.unwrap();
                assert_eq!(from, client.local_addr().unwrap());
                let mut words = [0; 10];
                stream.read_exact(&mut words).await.unwrap();
                assert_eq!(&words, b"still here", "{name}");
            });
        }
    });
}

#[test]
fn the_next_call_gives_it_if_the_first_was_dropped_and_in_order() {
    on_each(|name, rig, control| {
        let (listener, address) = rig.listen();
        let clients = [(); 2].map(|()| std::net::TcpStream::connect(address).unwrap());
        rig.run(async {
            for polled in [false, true] {
                control.set(NO_ROOM);
                pending_for(rig, 1, pin!(accept(&listener, polled))).await;
            }
            control.set(ChaosPlan::OFF);
            for client in &clients {
                let (_, from) = listener.accept().await.unwrap();
                assert_eq!(from, client.local_addr().unwrap(), "{name}");
            }
        });
    });
}

#[test]
fn it_is_closed_with_an_error_if_the_runtime_ends_first() {
    on_each(|name, rig, control| {
        let (listener, address) = rig.listen();
        let mut client = std::net::TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        control.set(NO_ROOM);
        rig.run(pending_for(rig, 1, pin!(listener.accept())));
        rig.fifo.shut_down(Duration::ZERO);
        let other = Rig::new(polyloop_reactor::ALL[0].1().unwrap());
        let error = other.run(listener.accept()).unwrap_err();
        assert!(error.to_string().contains("shut down"), "{name}: {error}");
        assert_eq!(client.read(&mut [0; 1]).unwrap(), 0, "{name}");
    });
}

#[test]
fn a_unix_connection_waits_as_well() {
    on_each(|name, rig, control| {
        let path = std::env::temp_dir().join(format!("polyloop-unwatched-{name}-{}", std::process::id()));
        let listener = UnixListener::bind_on(&rig.net, &path).unwrap();
        let mut client = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        client.write_all(b"hello").unwrap();
        rig.run(async {
            let mut accepting = pin!(listener.accept());
            control.set(NO_ROOM);
            pending_for(rig, 1, accepting.as_mut()).await;
            control.set(ChaosPlan::OFF);
            let (stream, _) = accepting.await.unwrap();
            stream.read_exact(&mut [0; 5]).await.unwrap();
        });
    });
}
