//! A system with one file, and nothing else that could be read, run or changed.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use crate::config::system::System;
use crate::config::{Config, Loaded, Refusal, Sources, load};

/// See the module.
struct OneFile<'a> {
    text: &'a [u8],
    dir: RefCell<PathBuf>,
}

const PATH: &str = "/data/s.conf";

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl System for OneFile<'_> {
    fn executable(&self, _path: &str) -> bool {
        true
    }
    fn writable(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn appendable(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        if path == Path::new(PATH) { Ok(self.text.to_owned()) } else { Err(missing()) }
    }
    fn read_stdin(&self) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }
    fn list(&self, _folder: &Path) -> io::Result<Vec<PathBuf>> {
        Err(missing())
    }
    fn change_dir(&self, path: &Path) -> io::Result<()> {
        let dir = self.dir.borrow().join(path);
        self.dir.replace(dir);
        Ok(())
    }
    fn current_dir(&self) -> io::Result<PathBuf> {
        Ok(self.dir.borrow().clone())
    }

    fn variable(&self, _: &str) -> Option<String> {
        None
    }
}

/// Reads a configuration from a file with that text.
pub(super) fn read(text: &[u8]) -> Result<Config, Box<Refusal>> {
    let system = OneFile { text, dir: RefCell::new("/data".into()) };
    let sources = Sources { file: Some(PATH.into()), ..Sources::default() };
    load(&sources, &system).map(|Loaded { config, .. }| config)
}
