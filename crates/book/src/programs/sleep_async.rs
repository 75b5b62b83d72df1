//! A nap that lets others go, on one thread.

use crate::Predicted;
use std::time::Duration;
use trpl::Builder;

pub(super) fn main(_: &[String]) {
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
        let nap = trpl::spawn_task(async {
            println!("Start sleeping");
            for second in 1..4 {
                trpl::sleep(Duration::from_secs(1)).await;
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

/// At a whole second a nap and a step are due at once, so nothing is said of these two; half a second is an order.
pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&[
        "Start sleeping\n1 seconds has passed\n2 seconds has passed\n3 seconds has passed\nEnd sleeping, what a nice nap!",
        "Task 2: i = 0\nTask 2: i = 1\nTask 2: i = 2\nTask 2: i = 3",
        "Task 3: j = 100\nTask 3: j = 101\nTask 3: j = 102\nTask 3: j = 103",
        "Task 2: i = 1\n1 seconds has passed\nTask 2: i = 3\n2 seconds has passed",
        "Task 3: j = 101\n1 seconds has passed\nTask 3: j = 103\n2 seconds has passed",
    ])
}
