//! What the tests of several members share: programs in a process of their own, what the kernel knows about them, and who is
//! skipped.

#![forbid(unsafe_code)]

mod alone;
mod certificate;
mod program;
mod skip;

pub use alone::alone;
pub use certificate::Certified;
pub use program::{Facts, Program};
pub use skip::skip;

/// Makes one test of a function for each combination; the function takes the combination's name.
///
/// ```ignore
/// fn it_answers(combination: &str) { … }
/// ecosystem_support::on_each!(it_answers);
/// ```
#[macro_export]
macro_rules! on_each {
    ($function:ident) => {
        polyloop::for_each_combination!($crate::__on_each, $function);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __on_each {
    ($(($id:ident $combination:literal))* => $function:ident) => {
        mod $function {
            $(#[test] fn $id() { super::$function($combination); })*
        }
    };
}
