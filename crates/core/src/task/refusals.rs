//! What the types must refuse, as programs that must not compile. (What they must allow: `tests/promises.rs`.)
//!
//! A task that may be run anywhere is `Send`, and so is its output:
//!
//! ```compile_fail,E0277
//! # fn f(space: std::sync::Arc<polyloop_core::TaskSpace>, meta: polyloop_core::Meta) {
//! let here = std::rc::Rc::new(1);
//! space.spawn(async move { drop(here) }, meta);
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # fn f(space: std::sync::Arc<polyloop_core::TaskSpace>, meta: polyloop_core::Meta) {
//! space.spawn(async move { std::rc::Rc::new(1) }, meta);
//! # }
//! ```
//!
//! ```compile_fail,E0277
//! # fn f(space: std::sync::Arc<polyloop_core::TaskSpace>, meta: polyloop_core::Meta) {
//! space.spawn_detached(async move { std::rc::Rc::new(1) }, meta);
//! # }
//! ```
//!
//! Nor may it borrow:
//!
//! ```compile_fail,E0597
//! # fn f(space: std::sync::Arc<polyloop_core::TaskSpace>, meta: polyloop_core::Meta) {
//! let local = String::new();
//! let borrowed = &local;
//! space.spawn(async move { borrowed.len() }, meta);
//! # }
//! ```
//!
//! The handle of an output that is not `Send` stays on the output's thread:
//!
//! ```compile_fail,E0277
//! fn is_send<T: Send>() {}
//! is_send::<polyloop_core::JoinHandle<std::rc::Rc<u8>>>();
//! ```
//!
//! ```compile_fail,E0277
//! fn is_sync<T: Sync>() {}
//! is_sync::<polyloop_core::JoinHandle<std::rc::Rc<u8>>>();
//! ```
//!
//! A thread's own queue stays with its thread:
//!
//! ```compile_fail,E0277
//! fn is_send<T: Send>() {}
//! is_send::<polyloop_core::LocalQueue>();
//! ```
//!
//! ```compile_fail,E0277
//! fn is_sync<T: Sync>() {}
//! is_sync::<polyloop_core::LocalQueue>();
//! ```
//!
//! ```compile_fail,E0277
//! fn is_send<T: Send>() {}
//! is_send::<polyloop_core::Entered<'static>>();
//! ```
//!
//! A run queue has one owner at a time:
//!
//! ```compile_fail,E0277
//! fn is_sync<T: Sync>() {}
//! is_sync::<polyloop_core::RunQueue>();
//! ```
