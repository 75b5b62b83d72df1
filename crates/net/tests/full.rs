//! A process that has no file descriptors left, which is a process of its own.

#![forbid(unsafe_code)]

use polyloop_core::{Driver, Meta, Sleep};
use polyloop_fifo::Fifo;
use polyloop_net::{Context, Resolve, Resolving, TcpListener};
use polyloop_time::{Heap, ManualClock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::future::{Future, poll_fn};
use std::net::TcpStream;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _: String, _: u16) -> Resolving {
        unreachable!("addresses are not looked up")
    }
}

/// Opens files until there is no room for one more.
fn fill() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

#[test]
fn bug_42_without_descriptors_accept_waits_without_a_spin_and_goes_on() {
    let limit = Rlimit { current: Some(100), maximum: getrlimit(Resource::Nofile).maximum };
    setrlimit(Resource::Nofile, limit).unwrap();
    for (name, make) in polyloop_reactor::ALL {
        for polled in [false, true] {
            // It moves when nothing else can happen: a spin would never let ten seconds pass.
            let clock = Arc::new(ManualClock::automatic());
            let driver = Driver::new(make().unwrap(), Box::new(Heap::new()), clock);
            let context = Context { driver: driver.clone(), resolver: Arc::new(NoNames) };
            let listener = TcpListener::bind_on(&context, ([127, 0, 0, 1], 0).into()).unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let mut room = Some(fill());
            let ran = Fifo::new(driver.clone()).try_block_on(
                async {
                    let mut accept = pin!(async {
                        if polled {
                            poll_fn(|cx| listener.poll_accept(cx)).await
                        } else {
                            listener.accept().await
                        }
                    });
                    let ten_seconds = driver.now() + Duration::from_secs(10);
                    let mut sleep = Sleep::until(driver.clone(), ten_seconds);
                    let (mut polls, before) = (0, driver.turns());
                    poll_fn(|cx| {
                        polls += 1;
                        assert!(accept.as_mut().poll(cx).is_pending(), "{name} accepted");
                        sleep.poll_elapsed(cx)
                    })
                    .await
                    .unwrap();
                    // 5 ms doubled up to 1 s: eight, then one a second.
                    assert!((10..30).contains(&polls), "{name}: {polls} polls");
                    assert!(driver.turns() - before < 60, "{name}: {} turns", driver.turns() - before);
                    room.take();
                    let now = driver.now();
                    poll_fn(|cx| match accept.as_mut().poll(cx) {
                        Poll::Ready(accepted) => Poll::Ready(accepted.map(drop)),
                        Poll::Pending => Poll::Pending,
                    })
                    .await
                    .unwrap();
                    assert!(driver.now() - now <= Duration::from_secs(1), "{name} came late");
                },
                Meta::new(Location::caller()),
            );
            ran.unwrap();
        }
    }
}
