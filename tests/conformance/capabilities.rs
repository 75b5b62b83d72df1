//! What not every runtime has, on every combination and on the peers: local tasks, and files that are watched.

use polyloop::{Handle, Runtime};
use polyloop_traits::{AnyRuntime, Smol, Tokio};

/// A runtime of ours, as the suites take it.
fn ours(name: &str) -> (Handle, Runtime) {
    let runtime = Runtime::from_name(name).unwrap();
    (runtime.handle().clone(), runtime)
}

macro_rules! ours {
    ($(($id:ident $combination:literal))* => $suite:ident) => {
        $( polyloop_conformance::$suite!($id, ours($combination)); )*
    };
}

mod local_tasks {
    use super::*;
    use polyloop_conformance::local_tasks;

    polyloop::for_each_combination!(ours, local_tasks);
    local_tasks!(tokio_ct, (Tokio::current_thread().unwrap(), ()));
    local_tasks!(tokio_mt, (Tokio::multi_thread(2).unwrap(), ()));
    local_tasks!(smol_1, (Smol::one_thread(), ()));
    local_tasks!(smol_n, (Smol::threads(2).unwrap(), ()));
}

mod files {
    use super::*;
    use polyloop_conformance::files;

    polyloop::for_each_combination!(ours, files);
    files!(tokio_ct, (Tokio::current_thread().unwrap(), ()));
    files!(tokio_mt, (Tokio::multi_thread(2).unwrap(), ()));
    files!(smol_1, (Smol::one_thread(), ()));
    files!(smol_n, (Smol::threads(2).unwrap(), ()));
    files!(any_fifo, any("fifo+poll+heap"));
    files!(any_steal, any("steal:2+mio+wheel"));
    files!(any_tokio_mt, (AnyRuntime::new(Tokio::multi_thread(2).unwrap()), ()));
    files!(any_smol_n, (AnyRuntime::new(Smol::threads(2).unwrap()), ()));

    fn any(name: &str) -> (AnyRuntime, Runtime) {
        let (handle, runtime) = ours(name);
        (AnyRuntime::new(handle), runtime)
    }
}
