//! `criterion::async_executor::AsyncExecutor` for [`Runtime`] and [`Handle`] (feature `criterion`).

use crate::{Handle, Runtime};
use criterion::async_executor::AsyncExecutor;
use std::future::Future;

/// Calls `block_on`, by value and by reference: `bencher.to_async(&runtime)`.
macro_rules! async_executor {
    ($([$($generics:tt)*] $type:ty;)*) => {
        $(
            impl<$($generics)*> AsyncExecutor for $type {
                fn block_on<O>(&self, future: impl Future<Output = O>) -> O {
                    <$type>::block_on(self, future)
                }
            }

            impl<$($generics)*> AsyncExecutor for &$type {
                fn block_on<O>(&self, future: impl Future<Output = O>) -> O {
                    <$type>::block_on(self, future)
                }
            }
        )*
    };
}

async_executor! {
    [] Handle;
    [E, R, T] Runtime<E, R, T>;
}
