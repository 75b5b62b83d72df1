//! Making directories with a mode.

use crate::blocking_io::on_pool;
use std::io;
use std::path::Path;

/// Makes directories, with those above them and with a mode, as one says.
///
/// # Examples
///
/// ```
/// # let runtime = polyloop::Runtime::from_name("fifo+poll+heap").unwrap();
/// # runtime.block_on(async {
/// use polyloop::fs;
///
/// let path = std::env::temp_dir().join(format!("polyloop-doc-dirs-{}", std::process::id()));
/// fs::DirBuilder::new().recursive(true).mode(0o700).create(path.join("one/two")).await?;
/// assert!(fs::metadata(path.join("one/two")).await?.is_dir());
/// fs::remove_dir_all(path).await?;
/// # std::io::Result::Ok(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct DirBuilder {
    recursive: bool,
    #[cfg(unix)]
    mode: Option<u32>,
}

impl DirBuilder {
    /// Makes one directory with the usual mode.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether those above are made as well, and one that exists is no error.
    pub fn recursive(&mut self, recursive: bool) -> &mut Self {
        self.recursive = recursive;
        self
    }

    /// The mode of what is made, less the process's umask; 0o777 unless said.
    #[cfg(unix)]
    pub fn mode(&mut self, mode: u32) -> &mut Self {
        self.mode = Some(mode);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    ///
    /// As all of [this module](super).
    ///
    /// # Cancel safety
    ///
    /// What was begun runs to its end; see [the module](super).
    pub async fn create(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(self.recursive);
        #[cfg(unix)]
        if let Some(mode) = self.mode {
            std::os::unix::fs::DirBuilderExt::mode(&mut builder, mode);
        }
        let path = path.as_ref().to_owned();
        on_pool(move || builder.create(path)).await
    }
}
