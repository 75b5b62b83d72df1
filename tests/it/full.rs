//! C12, with no file descriptors left: accept backs off and recovers, also where a worker is elsewhere. A process of its own.

#![forbid(unsafe_code)]

use polyloop::net::TcpListener;
use polyloop::{Builder, Combination, time};
use polyloop_conformance::{LIMIT, watched};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::File;
use std::future::poll_fn;
use std::net::TcpStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// So many files are open before anything else, and stay open.
const TAKEN: u64 = 20;

/// How many files the process may have: up to [`TAKEN`] none can be opened, whoever closes one of its own meanwhile (the monitor
/// opens and closes what /proc says of threads), because all numbers below are taken.
fn may_open(files: u64) {
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(files.min(maximum.unwrap_or(files))), maximum })
        .unwrap();
}

#[test]
fn bug_42_without_descriptors_accept_on_any_combination_backs_off_and_goes_on() {
    let _taken: Vec<_> = (0..TAKEN).map(|_| File::open("/dev/null").unwrap()).collect();
    for combination in Combination::ALL {
        let name = combination.to_string();
        watched(&name.clone(), LIMIT, move || {
            // It moves when nothing else can happen: a spin would never let ten seconds pass.
            let mut builder = Builder::new().combination(combination).start_paused(true);
            if combination.executor() != "fifo" {
                builder = builder.worker_threads(2);
            }
            let runtime = builder.build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
                may_open(TAKEN);
                let polls = Arc::new(AtomicUsize::new(0));
                let counted = Arc::clone(&polls);
                let accept = polyloop::spawn(async move {
                    let mut accept = pin!(listener.accept());
                    poll_fn(|cx| {
                        counted.fetch_add(1, Ordering::Relaxed);
                        accept.as_mut().poll(cx)
                    })
                    .await
                    .map(drop)
                });
                time::sleep(Duration::from_secs(10)).await;
                assert!(!accept.is_finished(), "{name} accepted");
                // 5 ms doubled up to 1 s: eight, then one a second.
                let polls = polls.load(Ordering::Relaxed);
                assert!((10..30).contains(&polls), "{name}: {polls} polls");
                may_open(10 * TAKEN);
                let now = time::Instant::now();
                accept.await.unwrap().unwrap();
                assert!(now.elapsed() <= Duration::from_secs(1), "{name} came late");
            });
        });
    }
}
