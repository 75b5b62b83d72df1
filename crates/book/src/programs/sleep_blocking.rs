//! A nap that blocks its thread, which is the only one, whatever `POLYLOOP` says.

use crate::Predicted;
use std::thread;
use std::time::Duration;
use trpl::Builder;

#[expect(clippy::disallowed_methods, reason = "the blocking is the lesson")]
pub(super) fn main(_: &[String]) {
    let rt = Builder::new_current_thread().enable_all().build().unwrap();
    rt.block_on(async {
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

/// Nobody else moves before the nap is over.
pub(super) fn predicted(_: &str) -> Predicted {
    super::sleep_blocking_run::on_one_thread()
}
