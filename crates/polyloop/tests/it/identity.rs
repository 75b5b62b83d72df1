//! Which runtime this is, asked from within, on every combination.

use crate::everywhere_by_name;
use polyloop::{Builder, Handle, Runtime};
use std::collections::HashSet;

#[test]
fn a_runtime_is_known_by_its_id_and_name_wherever_it_runs() {
    let mut seen = HashSet::new();
    everywhere_by_name(|combination| {
        let runtime = Builder::new().combination(combination).name("orders").build().unwrap();
        let id = runtime.handle().id();
        assert!(seen.insert(id) && !id.to_string().is_empty());
        let here = || (Handle::current().id(), Handle::current().name().map(str::to_owned));
        let (task, job) = (runtime.spawn(async move { here() }), runtime.spawn_blocking(here));
        let expected = (id, Some("orders".to_owned()));
        let found = runtime.block_on(async { (here(), task.await.unwrap(), job.await.unwrap()) });
        assert_eq!(found, (expected.clone(), expected.clone(), expected));
        assert!(format!("{:?}", runtime.handle()).contains("orders"));
        // Within another one, it is that one's.
        let other = Runtime::from_name(combination).unwrap();
        let _entered = other.handle().enter();
        assert_ne!(Handle::current().id(), id);
        assert_eq!(Handle::current().name(), None);
        assert!(seen.insert(other.handle().id()), "an id does not come again");
    });
}

#[test]
fn a_name_that_says_nothing_is_an_error_of_build() {
    for nothing in ["", " \t"] {
        let error = Builder::new().name(nothing).build().unwrap_err();
        assert!(error.to_string().contains("name"), "{error}");
    }
}
