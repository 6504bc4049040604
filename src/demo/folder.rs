//! The temporary folder, gone when it is dropped.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::Error;

/// A folder of our own below the system's temporary folder, readable by its owner only.
pub(super) struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    /// Make one. With `keep` it stays.
    pub(super) fn new(keep: bool) -> Result<Self, Error> {
        let base = std::env::temp_dir();
        let process = std::process::id();
        for attempt in 0..100 {
            let path = base.join(format!("vedette-demo-{process}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path, keep }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(Error::Folder { action: "make", path, source }),
            }
        }
        let source = io::ErrorKind::AlreadyExists.into();
        Err(Error::Folder { action: "make a folder in", path: base, source })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Make a folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.path.join(name);
        match fs::create_dir(&path) {
            Ok(()) => Ok(path),
            Err(source) => Err(Error::Folder { action: "make", path, source }),
        }
    }

    /// Whether it stays.
    pub(super) fn kept(&self) -> bool {
        self.keep
    }
}

// === impl Drop ===

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep {
            // Nothing can be done about a failure here, and nothing depends on it.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// Write a file.
pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Folder { action: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_its_content_unless_kept() {
        let folder = Folder::new(false).unwrap();
        let path = folder.path().to_owned();
        let inner = folder.folder("node").unwrap();
        write(&inner.join("file"), "text").unwrap();
        drop(folder);
        assert!(!path.exists());

        let kept = Folder::new(true).unwrap();
        let path = kept.path().to_owned();
        drop(kept);
        assert!(path.exists());
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn two_do_not_share_a_folder() {
        let (one, two) = (Folder::new(false).unwrap(), Folder::new(false).unwrap());
        assert_ne!(one.path(), two.path());
    }
}
