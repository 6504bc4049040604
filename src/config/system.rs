//! What reading a configuration asks of the system, so that tests can answer.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The system as the reader of a configuration sees it.
pub trait System {
    /// Whether a path names something that this process may execute.
    fn executable(&self, path: &str) -> bool;
    /// Whether this process may write to a file.
    ///
    /// # Errors
    /// Why not.
    fn writable(&self, path: &Path) -> io::Result<()>;
    /// Whether a file can be opened for appending; it is created if missing.
    ///
    /// # Errors
    /// Why not.
    fn appendable(&self, path: &Path) -> io::Result<()>;
    /// The bytes of a file.
    ///
    /// # Errors
    /// Why they can't be had.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// The bytes of standard input, up to its end.
    ///
    /// # Errors
    /// Why they can't be had.
    fn read_stdin(&self) -> io::Result<Vec<u8>>;
    /// The names in a folder, in any order, without the folder.
    ///
    /// # Errors
    /// Why they can't be had.
    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>>;
    /// Change the working directory.
    ///
    /// # Errors
    /// Why it stays.
    fn change_dir(&self, path: &Path) -> io::Result<()>;
    /// The working directory.
    ///
    /// # Errors
    /// Why it is unknown.
    fn current_dir(&self) -> io::Result<PathBuf>;
    /// A variable of the environment; none if it isn't set, or is no text.
    fn variable(&self, name: &str) -> Option<String>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealSystem;

impl System for RealSystem {
    fn executable(&self, path: &str) -> bool {
        rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
    }

    fn writable(&self, path: &Path) -> io::Result<()> {
        Ok(rustix::fs::access(path, rustix::fs::Access::WRITE_OK)?)
    }

    fn appendable(&self, path: &Path) -> io::Result<()> {
        fs::OpenOptions::new().append(true).create(true).open(path).map(drop)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        io::Read::read_to_end(&mut io::stdin().lock(), &mut text)?;
        Ok(text)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| PathBuf::from(entry.file_name()))).collect()
    }

    fn change_dir(&self, path: &Path) -> io::Result<()> {
        std::env::set_current_dir(path)
    }

    fn current_dir(&self) -> io::Result<PathBuf> {
        std::env::current_dir()
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }
}
