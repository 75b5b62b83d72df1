//! Schedulers from outside, in a process of their own: a name that was registered stays.

use polyloop::{Combination, Runtime, register_scheduler};
use polyloop_schedulers::Global;

fn register(name: &'static str) -> Result<(), String> {
    register_scheduler(name, |_| Global::default()).map_err(|error| error.to_string())
}

#[test]
fn a_registered_name_is_one_like_any_other() {
    let unknown = "mine:3+poll+heap".parse::<Combination>().unwrap_err().to_string();
    assert!(!unknown.contains(", mine"), "{unknown}");
    register("mine").unwrap();
    let combination: Combination = "mine:3+poll+heap".parse().unwrap();
    assert_eq!(combination.to_string(), "mine:3+poll+heap");
    let runtime = Runtime::from_name("mine:3+poll+heap").unwrap();
    assert_eq!(runtime.block_on(async { polyloop::spawn(async { 7 }).await.unwrap() }), 7);
    assert_eq!(runtime.metrics().num_workers(), 3);
    let told = "yours".parse::<Combination>().unwrap_err().to_string();
    assert!(told.contains(", mine"), "{told}");
}

#[test]
fn a_name_is_taken_once_and_has_no_place_for_signs() {
    register("first").unwrap();
    assert_eq!(register("first").unwrap_err(), "there is an executor `first` already");
    assert_eq!(register("steal").unwrap_err(), "there is an executor `steal` already");
    for name in ["", "a:1", "a+b", "A", "1a", "a b", "é"] {
        assert!(register(name).unwrap_err().contains("cannot name"), "{name}");
    }
}
