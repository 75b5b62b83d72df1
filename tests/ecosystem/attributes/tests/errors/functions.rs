//! Functions that an attribute can make nothing of.

#[polyloop::main]
fn main() {}

#[polyloop::test]
fn not_async() {}

#[polyloop::test]
async fn with_an_argument(number: u32) {}

#[polyloop::test(all)]
async fn generic<T>() {}

#[polyloop::test]
async unsafe fn is_unsafe() {}

struct Subject;

impl Subject {
    #[polyloop::test]
    async fn a_method(&self) {}
}

#[polyloop::test]
struct NoFunction;
