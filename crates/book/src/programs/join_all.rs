//! A vector of futures, pinned because nobody may move them.

use crate::Predicted;
use std::pin::Pin;
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
        let futures: Vec<Pin<Box<dyn Future<Output = ()>>>> =
            vec![Box::pin(tx1_fut), Box::pin(tx_fut), Box::pin(rx_fut)];
        trpl::join_all(futures).await;
    });
}

pub(super) fn predicted(executor: &str) -> Predicted {
    super::two_senders::predicted(executor)
}
