//! What every socket has of the standard library's one.

/// `AsFd`, `AsRawFd`, and `TryFrom` the standard library's socket, which takes it over to the current runtime.
macro_rules! like_std {
    ($socket:ident, $std:ty, |$this:ident| $file:expr) => {
        impl ::std::os::fd::AsFd for $socket {
            fn as_fd(&self) -> ::std::os::fd::BorrowedFd<'_> {
                let $this = self;
                $file.as_fd()
            }
        }

        impl ::std::os::fd::AsRawFd for $socket {
            fn as_raw_fd(&self) -> ::std::os::fd::RawFd {
                let $this = self;
                $file.as_raw_fd()
            }
        }

        /// As `from_std`: onto the current runtime.
        impl TryFrom<$std> for $socket {
            type Error = ::std::io::Error;

            fn try_from(socket: $std) -> ::std::io::Result<Self> {
                Self::from_std(socket)
            }
        }
    };
}
pub(crate) use like_std;
