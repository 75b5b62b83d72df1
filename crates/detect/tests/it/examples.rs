//! The examples do what they say.

use polyloop_detect::{Hold, Kind};

#[path = "../../examples/futurelock.rs"]
mod futurelock;
#[path = "../../examples/lost_wake.rs"]
mod lost_wake;

#[test]
fn rfd_609_is_caught() {
    let finding = futurelock::run(false).expect("the futurelock");
    let (lock, waiter) = ("account".to_owned(), "second".to_owned());
    assert_eq!(finding.kind, Kind::Futurelock { lock, hold: Hold::NextInLine, waiter });
    assert_eq!((finding.future.as_str(), finding.task.as_deref()), ("first", Some("racing")));
    let text = finding.to_string();
    assert!(text.contains("`first`") && text.contains("is next in line for `account`"), "{text}");
    assert!(text.contains("sleeps in `second`"), "{text}");
}

#[test]
fn rfd_609_as_fixed_is_silent() {
    assert!(futurelock::run(true).is_none());
}

#[test]
fn the_lost_wake_is_told_when_it_is_lost() {
    let finding = lost_wake::run().expect("the lost wake");
    assert_eq!((finding.kind, finding.future.as_str()), (Kind::LostWake { poll: 1 }, "receiver"));
}
