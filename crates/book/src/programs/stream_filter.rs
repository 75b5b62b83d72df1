//! An iterator as a stream.

use crate::Predicted;
use trpl::StreamExt;

pub(super) fn main(_: &[String]) {
    trpl::run(async {
        let values = 1..101;
        let iter = values.map(|n| n * 2);
        let stream = trpl::stream_from_iter(iter);
        let mut filtered = stream.filter(|value| value % 3 == 0 || value % 5 == 0);
        while let Some(value) = filtered.next().await {
            println!("The value was: {value}");
        }
    });
}

pub(super) fn predicted(_: &str) -> Predicted {
    let values = (2..=200).step_by(2).filter(|value| value % 3 == 0 || value % 5 == 0);
    Predicted::exactly(values.map(|value| format!("The value was: {value}")))
}
