//! What people read beside the data.
//!
//! Invariant: a reader of stderr who has gone away is no error, and ends no run.

/// A line on stderr; in colours where these are shown.
macro_rules! say {
    ($($what:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(anstream::stderr(), $($what)*);
    }};
}

pub(crate) use say;
