//! What the tests of broken parts share.

use polyloop_conformance::watched;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A broken part may hang: that is found, too, and sooner than by a suite's own patience.
const SOON: Duration = Duration::from_secs(3);

/// Whether the property does not hold.
pub(crate) fn finds(name: &str, property: impl FnOnce() + Send + 'static) -> bool {
    catch_unwind(AssertUnwindSafe(|| watched(name, SOON, property))).is_err()
}
