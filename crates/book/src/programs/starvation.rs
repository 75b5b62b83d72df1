//! A race without a yield: the first runs to its end, and the second never begins.

use crate::Predicted;
use std::thread;
use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "the blocking is the lesson")]
fn slow(name: &str, ms: u64) {
    thread::sleep(Duration::from_millis(ms));
    println!("'{name}' ran for {ms}ms");
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let a = async {
            println!("'a' started.");
            slow("a", 30);
            slow("a", 10);
            slow("a", 20);
            println!("'a' finished.");
        };
        let b = async {
            println!("'b' started.");
            slow("b", 75);
            slow("b", 10);
            slow("b", 15);
            slow("b", 350);
            println!("'b' finished.");
        };
        trpl::race(a, b).await;
    });
}

/// Both live in one task, so no executor can change it.
pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["'a' started.\n'a' ran for 30ms\n'a' ran for 10ms\n'a' ran for 20ms\n'a' finished."])
}
