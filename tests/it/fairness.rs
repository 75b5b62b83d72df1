//! Declared fairness (C2, C3), on every combination with one worker and on the peers, each by its own numbers. A process of its
//! own: smol has one reactor for all of a process.
//!
//! Invariant: one runtime at a time, so that nobody else drives.

#![forbid(unsafe_code)]

use polyloop::{BlockPolicy, Builder, Combination, Handle, Runtime};
use polyloop_conformance::fairness;
use polyloop_conformance::fairness::{On, PEERS, declared};
use polyloop_core::Fairness;
use polyloop_traits::{Smol, Tokio};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;

/// Nobody stands in for a worker while the suite blocks it: two threads would have the driver by turns, and while the one that has it
/// is not let run, the polls of the other count for nothing.
fn ours(name: &str) -> (Handle, Runtime) {
    let builder = Builder::new().combination(name).block_policy(BlockPolicy::None);
    let runtime = builder.build().unwrap();
    (runtime.handle().clone(), runtime)
}

/// What the executor of this combination declares.
fn of(name: &str) -> Fairness {
    Runtime::from_name(name).unwrap().handle().fairness()
}

/// Mounts the suite on each, and keeps their names, so that none of the table is forgotten.
macro_rules! combinations {
    ($($mount:ident: $on:ident, $name:literal;)*) => {
        $( fairness!($mount, of($name), On::$on, ours($name)); )*

        const MOUNTED: &[&str] = &[$($name),*];
    };
}

combinations! {
    fifo_mio_wheel: Caller, "fifo+mio+wheel";
    fifo_mio_heap: Caller, "fifo+mio+heap";
    fifo_polling_wheel: Caller, "fifo+polling+wheel";
    fifo_polling_heap: Caller, "fifo+polling+heap";
    fifo_poll_wheel: Caller, "fifo+poll+wheel";
    fifo_poll_heap: Caller, "fifo+poll+heap";
    steal_mio_wheel: Worker, "steal:1+mio+wheel";
    steal_mio_heap: Worker, "steal:1+mio+heap";
    steal_polling_wheel: Worker, "steal:1+polling+wheel";
    steal_polling_heap: Worker, "steal:1+polling+heap";
    steal_poll_wheel: Worker, "steal:1+poll+wheel";
    steal_poll_heap: Worker, "steal:1+poll+heap";
    global_mio_wheel: Worker, "global:1+mio+wheel";
    percore_mio_wheel: Worker, "percore:1+mio+wheel";
    fair_mio_wheel: Worker, "fair:1+mio+wheel";
    edf_mio_wheel: Worker, "edf:1+mio+wheel";
}

#[test]
fn every_combination_is_mounted_and_declares_its_constants() {
    for combination in Combination::ALL {
        let name = combination.with_workers(NonZeroUsize::MIN).to_string();
        assert!(MOUNTED.contains(&name.as_str()), "{name}");
        let declared = of(&name);
        println!("{name}: {declared}");
        let (polls, interval) = declared.polls_after_interval.expect("it looks at the clock");
        assert!(
            declared.max_polls_between_turns <= 1024 && polls <= 61 && interval.as_micros() <= 100,
            "{name}"
        );
        assert!(declared.ready_bound.is_some(), "{name} declares no bound for a ready task");
        // Kept to in the scheduler's own tests, which have two workers and decide which of them is stuck.
        let orphans = declared.orphan_bound.map(|polls| polls(1));
        assert_eq!(orphans, (combination.executor() == "percore").then_some(61), "{name}");
    }
}

/// `8n + 8`, if that is what the bound says.
fn formula(bound: fn(u64) -> u64) -> String {
    let slope = bound(2) - bound(1);
    let rest = bound(1) - slope;
    for place in [1, 2, 3, 100, 10_000] {
        assert_eq!(bound(place), slope * place + rest, "the bound is no straight line");
    }
    let slope = if slope == 1 { String::new() } else { slope.to_string() };
    if rest == 0 { format!("{slope}n") } else { format!("{slope}n + {rest}") }
}

/// The row of the guide's table that says this.
fn row(executor: &str, declared: &Fairness) -> String {
    let Fairness { max_polls_between_turns: most, polls_after_interval, .. } = declared;
    let (polls, interval) = polls_after_interval.unwrap();
    assert_eq!(interval.as_micros(), 100, "the table's heading says so");
    let ready = formula(declared.ready_bound.unwrap());
    let orphans = declared.orphan_bound.map(formula);
    let orphans = orphans.map(|bound| format!("; {bound} of any other worker, if its own is stuck"));
    format!("| `{executor}` | {most} | {polls} | {ready} polls{} |", orphans.unwrap_or_default())
}

#[test]
fn the_guide_has_every_executor_s_constants() {
    let guide = include_str!("../../docs/guide/backends.md");
    let executors: BTreeSet<_> = Combination::ALL.iter().map(|combination| combination.executor()).collect();
    for executor in &executors {
        let row = row(executor, &of(executor));
        assert!(guide.lines().any(|line| line == row), "not in the guide: {row}");
    }
    assert_eq!(guide.matches(" | 976 | ").count(), executors.len(), "rows of the table");
}

fairness!(tokio_ct, declared("tokio_ct"), On::Caller, (Tokio::current_thread().unwrap(), ()));
fairness!(tokio_mt_1, declared("tokio_mt_1"), On::Worker, (Tokio::multi_thread(1).unwrap(), ()));
fairness!(smol_1, declared("smol_1"), On::Caller, (Smol::one_thread(), ()));
fairness!(smol_n_1, declared("smol_n_1"), On::Worker, (Smol::threads(1).unwrap(), ()));

#[test]
fn every_peer_has_its_source() {
    for peer in PEERS {
        println!("{}: {} ({})", peer.subject, peer.declared, peer.source);
        assert!(!peer.source.is_empty());
    }
}

/// Numbers that nobody keeps are found out.
#[test]
fn a_constant_that_is_not_kept_is_found() {
    let tokio = || (Tokio::current_thread().unwrap(), ());
    let never = Fairness {
        max_polls_between_turns: 1,
        polls_after_interval: None,
        ready_bound: Some(|_| 1),
        orphan_bound: None,
    };
    let found = |property| {
        let check = || fairness::check("tokio_ct", "with wrong numbers", tokio, On::Caller, never, property);
        std::panic::catch_unwind(check).is_err()
    };
    assert!(found(fairness::a_ready_socket_is_seen_within_the_promise));
    assert!(found(fairness::a_due_timer_fires_within_the_promise));
    assert!(found(fairness::each_ready_task_has_its_turn));
    assert!(found(fairness::each_ready_task_has_its_turn_beside_two_that_wake_each_other));
}
