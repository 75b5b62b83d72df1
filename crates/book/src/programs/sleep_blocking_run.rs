//! A nap that blocks its thread, on as many threads as `POLYLOOP` says.

use crate::Predicted;
use std::thread;
use std::time::Duration;

#[expect(clippy::disallowed_methods, reason = "the blocking is the lesson")]
pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let nap = trpl::spawn_task(async {
            println!("Start sleeping");
            for second in 1..4 {
                thread::sleep(Duration::from_secs(1));
                println!("{second} seconds has passed");
            }
            println!("End sleeping, what a nice nap!");
        });
        let second = trpl::spawn_task(async {
            for i in 0..4 {
                println!("Task 2: i = {i}");
                trpl::sleep(Duration::from_millis(500)).await;
            }
        });
        let third = trpl::spawn_task(async {
            for j in 100..104 {
                println!("Task 3: j = {j}");
                trpl::sleep(Duration::from_millis(500)).await;
            }
        });
        trpl::join_all(vec![nap, second, third]).await;
    });
}

/// On one thread nobody else moves before the nap is over; on several the others have moved long before.
pub(super) fn predicted(executor: &str) -> Predicted {
    if executor == "fifo" {
        return on_one_thread();
    }
    Predicted::chains(&[
        "Start sleeping\n1 seconds has passed\n2 seconds has passed\n3 seconds has passed\nEnd sleeping, what a nice nap!",
        "Task 2: i = 0\nTask 2: i = 1\nTask 2: i = 2\nTask 2: i = 3",
        "Task 3: j = 100\nTask 3: j = 101\nTask 3: j = 102\nTask 3: j = 103",
        "Task 2: i = 1\n3 seconds has passed",
        "Task 3: j = 101\n3 seconds has passed",
    ])
}

pub(super) fn on_one_thread() -> Predicted {
    let nap = "Start sleeping\n1 seconds has passed\n2 seconds has passed\n3 seconds has passed\nEnd sleeping, what a nice nap!";
    Predicted::chains(&[
        &format!("{nap}\nTask 2: i = 0\nTask 2: i = 1\nTask 2: i = 2\nTask 2: i = 3"),
        &format!("{nap}\nTask 3: j = 100\nTask 3: j = 101\nTask 3: j = 102\nTask 3: j = 103"),
    ])
}
