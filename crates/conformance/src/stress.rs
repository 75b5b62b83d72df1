//! How long tests take that could go on for ever.

/// Whether tests that repeat a race are to do so for minutes, as `cargo xtask test --long` asks (`POLYLOOP_STRESS=long`).
pub fn is_long() -> bool {
    std::env::var("POLYLOOP_STRESS").is_ok_and(|value| value == "long")
}
