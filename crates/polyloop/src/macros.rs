//! What the attributes expand to, and the table of combinations as a macro.
//!
//! Invariant: [`for_each_combination!`](crate::for_each_combination) names what [`Combination::ALL`](crate::Combination::ALL) holds, in
//! its order.

use crate::{Builder, Combination};
use std::io::Write;
use std::num::NonZeroUsize;

/// Calls `callback!` with all combinations of [`Combination::ALL`](crate::Combination::ALL), each as an identifier and a name, and
/// with whatever else it is given: `callback! { (fifo_mio_wheel "fifo+mio+wheel") … => whatever else }`. It stands
/// where items do. Which there are follows the features of this crate, not those of the one that calls.
///
/// `#[polyloop::test(all)]` expands to it; with a macro of your own you fan out whatever you like.
///
/// # Examples
///
/// ```
/// macro_rules! names {
///     ($(($id:ident $name:literal))* => $constant:ident) => {
///         const $constant: &[&str] = &[$($name),*];
///     };
/// }
///
/// polyloop::for_each_combination!(names, NAMES);
/// assert_eq!(NAMES.len(), polyloop::Combination::ALL.len());
/// ```
#[macro_export]
macro_rules! for_each_combination {
    ($callback:path $(, $($rest:tt)*)?) => {
        $crate::__combinations! {
            [
                {mio (fifo_mio_wheel "fifo+mio+wheel") (fifo_mio_heap "fifo+mio+heap")}
                {polling (fifo_polling_wheel "fifo+polling+wheel") (fifo_polling_heap "fifo+polling+heap")}
                {poll (fifo_poll_wheel "fifo+poll+wheel") (fifo_poll_heap "fifo+poll+heap")}
                {mio (steal_mio_wheel "steal+mio+wheel") (steal_mio_heap "steal+mio+heap")}
                {polling (steal_polling_wheel "steal+polling+wheel") (steal_polling_heap "steal+polling+heap")}
                {poll (steal_poll_wheel "steal+poll+wheel") (steal_poll_heap "steal+poll+heap")}
                {mio_first (global_mio_wheel "global+mio+wheel") (percore_mio_wheel "percore+mio+wheel")}
                {mio_first (fair_mio_wheel "fair+mio+wheel") (edf_mio_wheel "edf+mio+wheel")}
                {polling_first (global_polling_wheel "global+polling+wheel") (percore_polling_wheel "percore+polling+wheel")}
                {polling_first (fair_polling_wheel "fair+polling+wheel") (edf_polling_wheel "edf+polling+wheel")}
                {poll_first (global_poll_wheel "global+poll+wheel") (percore_poll_wheel "percore+poll+wheel")}
                {poll_first (fair_poll_wheel "fair+poll+wheel") (edf_poll_wheel "edf+poll+wheel")}
            ]
            [] $callback [$($($rest)*)?]
        }
    };
}

/// Goes through groups of combinations, asks for each whether its reactor is there, and calls the callback with those that are.
#[doc(hidden)]
#[macro_export]
macro_rules! __combinations {
    ([{$reactor:ident $($group:tt)*} $($groups:tt)*] $taken:tt $($end:tt)*) => {
        $crate::__reactors::$reactor! { [$($group)*] [$($groups)*] $taken $($end)* }
    };
    ([] [$($taken:tt)*] $callback:path [$($rest:tt)*]) => {
        $callback! { $($taken)* => $($rest)* }
    };
}

/// The reactor is there: takes the group.
#[doc(hidden)]
#[macro_export]
macro_rules! __take {
    ([$($group:tt)*] $groups:tt [$($taken:tt)*] $($end:tt)*) => {
        $crate::__combinations! { $groups [$($taken)* $($group)*] $($end)* }
    };
}

/// It is not.
#[doc(hidden)]
#[macro_export]
macro_rules! __leave {
    ($group:tt $groups:tt $taken:tt $($end:tt)*) => {
        $crate::__combinations! { $groups $taken $($end)* }
    };
}

/// Whether there is a reactor, and whether it is the default's, each as the macro that goes on accordingly. Decided here: a `cfg` in
/// what a macro expands to would ask for the features of the crate that calls it.
#[doc(hidden)]
pub mod __reactors {
    macro_rules! whether {
        ($($name:ident: $condition:meta;)*) => { $(
            #[cfg($condition)]
            pub use crate::__take as $name;
            #[cfg(not($condition))]
            pub use crate::__leave as $name;
        )* };
    }

    whether! {
        mio: feature = "mio";
        polling: feature = "polling";
        poll: feature = "poll";
        mio_first: feature = "mio";
        polling_first: all(feature = "polling", not(feature = "mio"));
        poll_first: not(any(feature = "mio", feature = "polling"));
    }
}

/// The module of tests that `#[polyloop::test(all)]` makes.
#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($(($id:ident $combination:literal))* => [$($import:tt)*] $attributes:tt $name:ident $result:tt) => {
        mod $name {
            $($import)*
            $($crate::__test! { $attributes $name $id $combination $result })*
        }
    };
}

/// One of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    ([$($attribute:tt)*] $name:ident $id:ident $combination:literal [$($result:tt)*]) => {
        #[::core::prelude::v1::test]
        $($attribute)*
        fn $id() $($result)* {
            super::$name($combination)
        }
    };
}

/// Called by what the attributes expand to, and by nobody else: it may change at any time.
#[doc(hidden)]
pub mod __macros {
    use super::*;

    /// Builds a runtime for `main`; if there is none, says so and ends the process.
    #[track_caller]
    pub fn main<F: Future>(builder: Builder, main: F) -> F::Output {
        let runtime = builder.build().unwrap_or_else(|error| {
            // Nobody to tell if stderr is closed; the code says it as well.
            let _ = writeln!(std::io::stderr(), "{error}");
            std::process::exit(2)
        });
        runtime.block_on(main)
    }

    /// Builds a runtime for a test, which fails if there is none.
    #[track_caller]
    pub fn test<F: Future>(builder: Builder, test: F) -> F::Output {
        let runtime = builder.build().unwrap_or_else(|error| panic!("no runtime for this test: {error}"));
        runtime.block_on(test)
    }

    /// A builder for this combination, with so many workers if it has any.
    pub fn builder(combination: &str, workers: Option<usize>) -> Builder {
        match (combination.parse::<Combination>(), workers.and_then(NonZeroUsize::new)) {
            (Ok(combination), Some(workers)) => Builder::new().combination(combination.with_workers(workers)),
            _ => Builder::new().combination(combination),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! table {
        ($(($id:ident $name:literal))* =>) => {
            const NAMED: &[(&str, &str)] = &[$((stringify!($id), $name)),*];
        };
    }

    crate::for_each_combination!(table);

    #[test]
    fn the_macro_names_what_the_table_holds() {
        let held = Combination::ALL.map(|combination| combination.to_string());
        assert!(NAMED.iter().map(|(_, name)| *name).eq(held.iter().map(String::as_str)), "{NAMED:?}");
        assert!(NAMED.iter().all(|(id, name)| *id == name.replace('+', "_")));
    }

    #[test]
    fn the_future_of_main_is_told_of_by_the_users_line() {
        for combination in ["fifo+poll+heap", "steal:1+poll+heap"] {
            let dump = async { crate::Handle::current().dump().to_string() };
            let (line, told) = (line!(), __macros::main(__macros::builder(combination, None), dump));
            assert!(told.contains(&format!("macros.rs:{line}")), "not line {line}: {told}");
        }
    }
}
