//! No false alarms: nobody is relieved in a program that yields in time, however the machine treats it.
//!
//! Each test runs such a program in a process of its own, which it stops or crams onto one processor.

use crate::kit::{driver, join, no_hang, rounds, spawn, start_with};
use polyloop_conformance::skip;
use polyloop_core::yield_now;
use polyloop_pool::{BlockPolicy, Config};
use std::num::NonZeroUsize;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// Set in the process that runs the program.
const CHILD: &str = "POLYLOOP_TEST_BUSY";

#[expect(clippy::disallowed_methods, reason = "the programs run for a stretch of real time")]
fn now() -> Instant {
    Instant::now()
}

/// Four workers that are busy all the time with polls of 200 µs. Prints how often one was relieved.
#[test]
fn child_that_is_busy_but_yields() {
    let Ok(length) = std::env::var(CHILD) else { return };
    let length = Duration::from_millis(length.parse().unwrap());
    let config = Config::new(NonZeroUsize::new(4).unwrap()).block(BlockPolicy::HAND_OFF);
    let pool = start_with(config, driver());
    let stop = Arc::new(AtomicBool::new(false));
    let busy = |_| {
        let stop = stop.clone();
        spawn(&pool, async move {
            while !stop.load(SeqCst) {
                let begun = now();
                while begun.elapsed() < Duration::from_micros(200) {
                    std::hint::spin_loop();
                }
                yield_now().await;
            }
        })
    };
    let tasks: Vec<_> = (0..8).map(busy).collect();
    let begun = now();
    while begun.elapsed() < length {
        std::thread::park_timeout(Duration::from_millis(10));
    }
    stop.store(true, SeqCst);
    tasks.into_iter().for_each(|task| join(task).unwrap());
    println!("relieved {} times", pool.relief().hand_offs);
}

/// The program above, in a process of its own, behind the words of another command.
fn start(length: Duration, words: &[&str]) -> Option<Child> {
    let own = std::env::current_exe().unwrap();
    let own = own.to_str().unwrap();
    let test = ["alarms::child_that_is_busy_but_yields", "--exact", "--nocapture"];
    let words: Vec<_> = words.iter().copied().chain([own]).chain(test).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env(CHILD, length.as_millis().to_string()).stdout(Stdio::piped());
    match command.spawn() {
        Ok(child) => Some(child),
        Err(error) => {
            skip(&format!("{}: {error}", words[0]));
            None
        }
    }
}

fn assert_no_alarm(child: Child) {
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("relieved 0 times"), "{said}");
}

fn length() -> Duration {
    Duration::from_millis(rounds(1_000, 10_000) as u64)
}

#[test]
fn nobody_is_relieved_on_one_processor_that_four_workers_fight_for() {
    // On the test's own thread, which has its name.
    if let Some(child) = start(length(), &["taskset", "-c", "0"]) {
        no_hang(|| assert_no_alarm(child));
    }
}

#[test]
fn nobody_is_relieved_in_a_process_that_is_stopped_and_continued() {
    no_hang(|| {
        let Some(child) = start(length(), &["env"]) else { return };
        let id = child.id().to_string();
        let signal =
            |name: &str| Command::new("kill").args([name, &id]).status().is_ok_and(|done| done.success());
        // Shorter and longer than what counts as a gap.
        for stop in [5, 15, 40, 80, 12, 25] {
            std::thread::park_timeout(Duration::from_millis(60));
            assert!(signal("-STOP"));
            std::thread::park_timeout(Duration::from_millis(stop));
            assert!(signal("-CONT"));
        }
        assert_no_alarm(child);
    });
}
