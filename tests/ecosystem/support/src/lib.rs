//! What the tests of several members share.

#![forbid(unsafe_code)]
