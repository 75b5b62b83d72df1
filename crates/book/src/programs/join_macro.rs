//! As many futures as are written down, of different types.

use crate::Predicted;
use std::time::Duration;

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let (tx, mut rx) = trpl::channel();
        let tx1 = tx.clone();
        let tx1_fut = async move {
            for n in 1..=3 {
                tx1.send(n).unwrap();
                trpl::sleep(Duration::from_millis(500)).await;
            }
            "three"
        };
        let rx_fut = async {
            let mut sum = 0;
            while let Some(n) = rx.recv().await {
                println!("received {n}");
                sum += n;
            }
            sum
        };
        let tx_fut = async move {
            trpl::sleep(Duration::from_millis(750)).await;
            tx.send(10).unwrap();
        };
        let (count, sum, ()) = trpl::join!(tx1_fut, rx_fut, tx_fut);
        println!("{count} and one came to {sum}");
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["received 1\nreceived 2\nreceived 10\nreceived 3\nthree and one came to 16"])
}
