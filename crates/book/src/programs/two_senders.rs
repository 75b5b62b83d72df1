//! Two senders of one channel, at their own paces.

use crate::Predicted;
use std::time::Duration;

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let (tx, mut rx) = trpl::channel();
        let tx1 = tx.clone();
        let tx1_fut = async move {
            for val in ["hi", "from", "the", "future"] {
                tx1.send(val.to_owned()).unwrap();
                trpl::sleep(Duration::from_millis(500)).await;
            }
        };
        let rx_fut = async {
            while let Some(value) = rx.recv().await {
                println!("received '{value}'");
            }
        };
        let tx_fut = async move {
            for val in ["more", "messages", "for", "you"] {
                tx.send(val.to_owned()).unwrap();
                trpl::sleep(Duration::from_millis(1500)).await;
            }
        };
        trpl::join3(tx1_fut, tx_fut, rx_fut).await;
    });
}

/// The fourth of the one and the second of the other are sent at the same moment.
pub(super) fn predicted(_: &str) -> Predicted {
    let first = "received 'hi'\nreceived 'more'\nreceived 'from'\nreceived 'the'";
    let last = "received 'for'\nreceived 'you'";
    Predicted::chains(&[
        &format!("{first}\nreceived 'future'\n{last}"),
        &format!("{first}\nreceived 'messages'\n{last}"),
    ])
}
