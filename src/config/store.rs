//! The file on the disk: replaced whole or not at all.
//!
//! A write goes to a temporary file beside the file, which is flushed and then renamed over it, and the rename is
//! flushed too. Whatever happens in between, the file is the old or the new one. All methods block.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::load::reason;
use super::rewrite::{State, rewrite};
use super::{Config, General};
use crate::core::Settings;
use crate::core::action::Level;

/// Keeps the file.
#[derive(Debug)]
pub struct Store<D = RealDisk> {
    path: PathBuf,
    general: General,
    disk: D,
    /// The last write failed, perhaps after the rename: equal contents are no proof that they are on the disk.
    doubtful: AtomicBool,
}

/// What a write of the file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The file has been replaced.
    Written,
    /// It already held all that, and the disk was left alone.
    Unchanged,
}

/// A write that failed; the file is the old one, or (only if the folder could not be flushed) the new one.
#[derive(Debug, thiserror::Error)]
#[error("{step} ({})", reason(source))]
pub struct WriteError {
    /// What was being done, in the words of Redis's log.
    pub step: String,
    /// The system's answer.
    #[source]
    pub source: io::Error,
}

impl WriteError {
    /// The system's words.
    #[must_use]
    pub fn reason(&self) -> String {
        reason(&self.source)
    }
}

impl Store {
    /// The store of a configuration's file.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self::with_disk(config, RealDisk)
    }
}

impl<D: Disk> Store<D> {
    /// A store that writes through `disk`.
    pub fn with_disk(config: &Config, disk: D) -> Self {
        Self {
            path: config.path.clone(),
            general: config.general.clone(),
            disk,
            doubtful: AtomicBool::new(false),
        }
    }

    /// Brings the file up to date: `users` are its `user` lines, `level` its `loglevel`.
    ///
    /// # Errors
    /// What went wrong; nothing is left behind.
    pub fn write(&self, settings: &Settings, users: &[String], level: Level) -> Result<Saved, WriteError> {
        let failed = |step: &str| {
            let step = step.to_owned();
            move |source| WriteError { step, source }
        };
        // A link is followed, so that it goes on pointing at the file.
        let path = match self.disk.target(&self.path) {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.path.clone(),
            Err(error) => return Err(failed("Could not find the config file")(error)),
        };
        let old = match self.disk.read(&path) {
            Ok(old) => Some(old),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("Could not read the config file")(error)),
        };
        let mut general = self.general.clone();
        general.set_loglevel(level);
        let new = rewrite(old.as_deref(), &State { general: &general, users, settings });
        if old.as_deref() == Some(new.as_slice()) && !self.doubtful.load(Ordering::Relaxed) {
            return Ok(Saved::Unchanged);
        }
        self.doubtful.store(true, Ordering::Relaxed);
        self.replace(&path, &new)?;
        self.doubtful.store(false, Ordering::Relaxed);
        Ok(Saved::Written)
    }

    fn replace(&self, path: &Path, text: &[u8]) -> Result<(), WriteError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".tmp{}", std::process::id()));
        let temporary = path.with_file_name(name);
        let result = self.fill(&temporary, path, text);
        let result = result.and_then(|()| {
            self.disk
                .rename(&temporary, path)
                .map_err(|source| WriteError { step: "Could not rename tmp config file".to_owned(), source })
        });
        if result.is_err() {
            // The reason of the failure matters more than what becomes of the temporary file.
            let _ = self.disk.remove(&temporary);
            return result;
        }
        self.disk
            .sync_folder(
                path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")),
            )
            .map_err(|source| WriteError { step: "Could not sync config file dir".to_owned(), source })
    }

    fn fill(&self, temporary: &Path, path: &Path, text: &[u8]) -> Result<(), WriteError> {
        let failed = |step: String| move |source| WriteError { step, source };
        let mut file =
            self.disk.create(temporary).map_err(failed("Could not create tmp config file".to_owned()))?;
        // Before the contents, which may hold passwords.
        self.disk.adopt(&file, path).map_err(failed("Could not chmod config file".to_owned()))?;
        let mut written = 0;
        while written < text.len() {
            match self.disk.write(&mut file, &text[written..]) {
                Ok(0) => return Err(failed(written_text(written))(io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed(written_text(written))(error)),
            }
        }
        self.disk.sync(&file).map_err(failed("Could not sync tmp config file to disk".to_owned()))
    }
}

fn written_text(count: usize) -> String {
    format!("Failed after writing ({count}) bytes to tmp config file")
}

/// The steps of a write, so that tests can make each of them fail.
pub trait Disk {
    /// The file behind a path, links followed.
    ///
    /// # Errors
    /// The system's.
    fn target(&self, path: &Path) -> io::Result<PathBuf>;
    /// The contents of a file.
    ///
    /// # Errors
    /// The system's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// A new, empty file that others may read as far as the umask allows. What a killed predecessor left under that
    /// name is replaced.
    ///
    /// # Errors
    /// The system's.
    fn create(&self, path: &Path) -> io::Result<File>;
    /// Writes the beginning of `bytes`; how many.
    ///
    /// # Errors
    /// The system's.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<usize>;
    /// Puts a file's contents on the disk.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self, file: &File) -> io::Result<()>;
    /// Gives `file` the owner of the file that it is about to replace, and takes away the rights that the other
    /// doesn't give either. Nothing happens if there is none.
    ///
    /// # Errors
    /// The system's.
    fn adopt(&self, file: &File, from: &Path) -> io::Result<()>;
    /// Renames a file over another.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Puts a folder's entries on the disk.
    ///
    /// # Errors
    /// The system's.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// The system's.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// The real one.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn target(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        let open = || fs::OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(path)?;
                open()
            }
            result => result,
        }
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        file.write(bytes)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        file.sync_all()
    }

    fn adopt(&self, file: &File, from: &Path) -> io::Result<()> {
        let old = match fs::metadata(from) {
            Ok(old) => old,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let new = file.metadata()?;
        let mut mode = new.mode() & old.mode() & 0o777;
        let rights = Rights::of_this_process();
        let given = || rights.give_to_group(old.gid()) && chown(file, None, Some(old.gid())).is_ok();
        if new.gid() != old.gid() && !given() {
            // What the old group was allowed must not become the right of another group.
            mode = (mode & !0o070) | ((mode & 0o007) << 3);
        }
        if new.uid() != old.uid() && rights.give_away() {
            let _ = chown(file, Some(old.uid()), None);
        }
        Ok(rustix::fs::fchmod(file, rustix::fs::Mode::from_raw_mode(mode))?)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }
}

/// What this process may do with the owners of its files. To try is no way to find out: a service manager's filter of
/// system calls ends the process that tries.
#[derive(Debug, PartialEq, Eq)]
struct Rights {
    /// It may give files to anybody.
    capable: bool,
    /// Its system calls are filtered.
    filtered: bool,
}

impl Rights {
    fn of_this_process() -> Self {
        Self::read(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }

    /// From the text of `/proc/self/status`; what is missing there is not allowed.
    fn read(status: &str) -> Self {
        let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let capabilities = field("CapEff:").and_then(|mask| u64::from_str_radix(mask, 16).ok());
        // CAP_CHOWN is bit 0.
        Self {
            capable: capabilities.is_some_and(|mask| mask & 1 == 1),
            filtered: field("Seccomp:") != Some("0"),
        }
    }

    const fn give_away(&self) -> bool {
        self.capable
    }

    /// Everybody may give a file to a group of his own.
    fn give_to_group(&self, group: u32) -> bool {
        let own = || {
            let groups = rustix::process::getgroups().unwrap_or_default();
            groups.iter().any(|own| own.as_raw() == group) || rustix::process::getegid().as_raw() == group
        };
        self.capable || (!self.filtered && own())
    }
}

fn chown(file: &File, user: Option<u32>, group: Option<u32>) -> io::Result<()> {
    let user = user.map(rustix::fs::Uid::from_raw);
    let group = group.map(rustix::fs::Gid::from_raw);
    Ok(rustix::fs::fchown(file, user, group)?)
}

#[cfg(test)]
mod tests;
