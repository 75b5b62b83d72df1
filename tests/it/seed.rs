//! The loop of the seed against the suite: what it fails is known, and each of its defects has its test.
//!
//! Invariant: every property here holds for our runtimes, by their mounts. So whatever the loop fails is the loop's.

use polyloop_conformance::runtime::{Property, properties};
use polyloop_conformance::seed_loop::SeedLoop;
use polyloop_traits::BlockOn;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

type SeedProperty = Property<SeedLoop, ()>;

/// What is wrong with the loop, the property that finds it, and what is then seen.
const DEFECTS: [(&str, &str, &str); 9] = [
    (
        "ready tasks are run until none is left, so that one that wakes itself keeps the poller from its turn",
        "a_task_that_wakes_itself_keeps_no_timer_waiting",
        "polls without a look at timers and files",
    ),
    ("a sleep pushes an entry at every poll", "a_sleep_polled_often_wakes_once", "left: 1000"),
    (
        "the exit condition does not look at the timers",
        "a_timer_that_wakes_nobody_ends_nothing",
        "run() has returned, and main has not ended",
    ),
    (
        "a waker queues its task whether or not it is queued, and whether or not it lives",
        "a_wake_after_the_end_is_nothing",
        "KeyError",
    ),
    ("the poller keeps the first waker of a file", "a_read_wakes_who_polled_last", "waits that woke nobody"),
    (
        "the poller never lets go of a file",
        "an_fd_number_used_again_gets_its_events",
        "a wait without end; main has not",
    ),
    (
        "a read that got a part waits without registering",
        "bytes_that_come_in_parts_are_all_read",
        "a wait without end; main has not",
    ),
    (
        "timers with one deadline are ordered by their wakers, which have no order",
        "tasks_with_one_deadline_all_wake",
        "TypeError",
    ),
    ("an exception of a task goes through the loop", "a_panic_reaches_the_joiner_and_the_others_go_on", "0"),
];

/// What the property says of the loop; `None` if it holds.
fn judged(property: SeedProperty) -> Option<String> {
    let failed = catch_unwind(AssertUnwindSafe(|| property(|| (SeedLoop::new(), ())))).err()?;
    Some(text(&*failed))
}

fn text(payload: &(dyn Any + Send)) -> String {
    let number = || payload.downcast_ref::<i32>().map(i32::to_string);
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).or_else(number).unwrap_or_default()
}

#[test]
fn each_defect_is_found_by_its_test() {
    for (defect, test, seen) in DEFECTS {
        let all = properties::<SeedLoop, ()>();
        let (_, property) = all.into_iter().find(|(name, _)| *name == test).expect(test);
        let said = judged(property).unwrap_or_else(|| panic!("not found by {test}: {defect}"));
        assert!(said.contains(seen), "{test} finds something else than that {defect}: {said}");
    }
}

/// Not among the nine: with no task, no timer and no file left the loop waits all the same, and no program ends.
#[test]
fn as_written_no_program_ends() {
    let run = || SeedLoop::as_written().block_on(async { 1 });
    let failed = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    assert!(text(&*failed).contains("a wait without end; main has ended"));
    assert_eq!(SeedLoop::new().block_on(async { 1 }), 1);
}

#[test]
fn what_the_loop_fails_is_known() {
    let mut failed = String::new();
    for (name, property) in properties::<SeedLoop, ()>() {
        if let Some(why) = judged(property) {
            println!("{name}: {why}");
            failed += name;
            failed += "\n";
        }
    }
    assert_eq!(failed, include_str!("seed_fails.txt"), "the list is tests/it/seed_fails.txt");
}
