//! Two futures in one task, which take turns at their sleeps.

use crate::Predicted;
use std::time::Duration;

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let a = async {
            for _ in 0..10 {
                trpl::sleep(Duration::from_secs(1)).await;
                println!("A once");
            }
            println!("A done");
        };
        let b = async {
            for _ in 0..10 {
                trpl::sleep(Duration::from_secs(1)).await;
                println!("B once");
            }
            println!("B done");
        };
        trpl::join(a, b).await;
    });
}

/// Both sleeps are due at nearly the same moment, and the first is polled first.
pub(super) fn predicted(_: &str) -> Predicted {
    let nine = ["A once", "B once"].repeat(9);
    Predicted::exactly(nine.into_iter().chain(["A once", "A done", "B once", "B done"]).map(str::to_owned))
}
