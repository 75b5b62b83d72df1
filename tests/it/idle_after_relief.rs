//! A runtime that has nothing to do does nothing (C11), also after workers were relieved. A process of its own.
//!
//! Invariant: what is counted is how often our threads went to sleep: each wake-up, by a timer or by anything else, is one.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]

use polyloop::{Runtime, task};
use polyloop_conformance::block_thread;
use std::fs;
use std::time::Duration;

/// By thread of ours, how often it went to sleep by itself.
fn sleeps() -> Vec<(String, u64)> {
    let mut all = Vec::new();
    for thread in fs::read_dir("/proc/self/task").unwrap() {
        let folder = thread.unwrap().path();
        let read = |file| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let name = read("comm").trim().to_owned();
        let status = read("status");
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        if let (true, Some(count)) = (name.starts_with("poly"), count) {
            all.push((name, count.trim().parse().unwrap()));
        }
    }
    all
}

#[test]
fn a_runtime_at_rest_does_not_wake_up_also_after_a_relief() {
    let runtime = Runtime::from_name("steal:2").unwrap();
    // All workers are blocked for long enough to be replaced, and one gives its place away.
    let tasks: Vec<_> = (0..3)
        .map(|index| {
            runtime.spawn(async move {
                let nap = || block_thread(Duration::from_millis(60));
                if index == 0 { task::block_in_place(nap) } else { nap() }
            })
        })
        .collect();
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    let at_work = sleeps();
    assert!(at_work.len() > 3, "two workers, the monitor, and somebody who stood in: {at_work:?}");
    block_thread(Duration::from_secs(3));
    let before = sleeps();
    assert_eq!(before.len(), 3, "two workers and the monitor: {before:?}");
    block_thread(Duration::from_secs(5));
    let after = sleeps();
    let count = |sleeps: &[(String, u64)]| sleeps.iter().map(|(_, count)| count).sum::<u64>();
    assert!(count(&after) - count(&before) <= 2, "{before:?} and then {after:?}");
    drop(runtime);
}
