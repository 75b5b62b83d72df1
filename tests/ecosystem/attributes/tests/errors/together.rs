//! What does not go together.

#[polyloop::main(all)]
async fn main() {}

#[polyloop::test(all, combination = "fifo")]
async fn all_of_one() {}

#[polyloop::test(all, flavor = "multi_thread")]
async fn all_of_one_flavor() {}

#[polyloop::test(combination = "fifo", flavor = "current_thread")]
async fn said_in_two_ways() {}

#[polyloop::test]
#[test]
async fn two_tests() {}
