//! Four messages, half a second apart, and the end of the channel.

use crate::Predicted;
use std::time::Duration;

pub(super) fn main(_: &[String]) {
    let vals = ["hi", "from", "the", "future"].map(String::from);
    trpl::run(async {
        let (tx, mut rx) = trpl::channel();
        // The sender moves in, so that it is dropped at the end, and the receiver ends.
        let tx_fut = async move {
            for val in vals {
                tx.send(val).unwrap();
                trpl::sleep(Duration::from_millis(500)).await;
            }
        };
        let rx_fut = async {
            while let Some(msg) = rx.recv().await {
                println!("Recv: {msg}");
            }
        };
        trpl::join(tx_fut, rx_fut).await;
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    Predicted::chains(&["Recv: hi\nRecv: from\nRecv: the\nRecv: future"])
}
