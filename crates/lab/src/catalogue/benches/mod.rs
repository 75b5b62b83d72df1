//! The benches. Each checks its own result; its numbers are not judged.

pub(super) mod blocked;
pub(super) mod fork_join;
pub(super) mod idle;
pub(super) mod memory;
pub(super) mod messages;
pub(super) mod spawn;
pub(super) mod tail;
pub(super) mod tcp;
pub(super) mod timers;
pub(super) mod wake;
