//! Which runtimes the whole-system tests run on.

use polyloop::{Builder, Combination};
use std::num::NonZeroUsize;

/// Every combination, `steal` with each of these numbers of workers, by name.
pub(crate) fn names(workers: &[usize]) -> Vec<String> {
    let numbered = |combination: Combination| {
        let with = move |count: &usize| combination.with_workers(NonZeroUsize::new(*count).unwrap());
        workers.iter().map(with).map(|combination| combination.to_string())
    };
    let of = |combination: Combination| match combination.executor() {
        "fifo" => vec![combination.to_string()],
        _ => numbered(combination).collect(),
    };
    Combination::ALL.into_iter().flat_map(of).collect()
}

/// A builder for the name.
pub(crate) fn builder(name: &str) -> Builder {
    Builder::new().combination(name)
}
