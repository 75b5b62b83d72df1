//! A timeout, built from a race and a sleep.

use crate::Predicted;
use std::time::Duration;
use trpl::Either;

async fn timeout<F: Future>(fut: F, max_timeout: Duration) -> Result<F::Output, Duration> {
    match trpl::race(fut, trpl::sleep(max_timeout)).await {
        Either::Left(res) => Ok(res),
        Either::Right(()) => Err(max_timeout),
    }
}

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let fast = async {
            trpl::sleep(Duration::from_millis(500)).await;
            "fast-result"
        };
        let slow = async {
            trpl::sleep(Duration::from_millis(2000)).await;
            "slow-result"
        };
        let max_timeout = Duration::from_millis(1000);
        for result in [timeout(slow, max_timeout).await, timeout(fast, max_timeout).await] {
            match result {
                Ok(res) => println!("Finish within timeout, return {res:?}"),
                Err(duration) => println!("Error: Exceed timeout of {duration:?}"),
            }
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["Error: Exceed timeout of 1s\nFinish within timeout, return \"fast-result\""])
}
