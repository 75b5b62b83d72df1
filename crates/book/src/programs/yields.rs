//! The same race with yields: they take turns.

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
            trpl::yield_now().await;
            slow("a", 10);
            trpl::yield_now().await;
            slow("a", 20);
            trpl::yield_now().await;
            println!("'a' finished.");
        };
        let b = async {
            println!("'b' started.");
            slow("b", 75);
            trpl::yield_now().await;
            slow("b", 10);
            trpl::yield_now().await;
            slow("b", 15);
            trpl::yield_now().await;
            slow("b", 35);
            trpl::yield_now().await;
            println!("'b' finished.");
        };
        trpl::race(a, b).await;
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["'a' started.\n'a' ran for 30ms\n'b' started.\n'b' ran for 75ms\n'a' ran for 10ms\n\
                         'b' ran for 10ms\n'a' ran for 20ms\n'b' ran for 15ms\n'a' finished."])
}
