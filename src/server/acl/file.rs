//! The aclfile: the only place of this module that touches the disk. Both jobs block and belong on another thread.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A file of rules is read whole; one larger than this is none.
const LARGEST: u64 = 64 << 20;

/// To read the aclfile.
#[derive(Debug)]
pub struct LoadJob {
    pub(super) path: PathBuf,
}

impl LoadJob {
    /// Reads the file. Blocks.
    ///
    /// # Errors
    /// What the system says, also if the file is larger than any list of rules can be.
    pub fn run(&self) -> io::Result<Vec<u8>> {
        if std::fs::metadata(&self.path)?.len() > LARGEST {
            return Err(io::Error::other("File too large"));
        }
        std::fs::read(&self.path)
    }
}

/// To write the aclfile.
#[derive(Debug)]
pub struct SaveJob {
    pub(super) path: PathBuf,
    pub(super) text: Vec<u8>,
}

impl SaveJob {
    /// Writes the file: whole, or not at all. Blocks.
    ///
    /// # Errors
    /// What could not be done, for the log.
    pub fn run(&self) -> Result<(), SaveError> {
        let folder =
            self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let temporary = self.temporary();
        let written = self.write(&temporary).and_then(|()| {
            std::fs::rename(&temporary, &self.path).map_err(|error| SaveError::new("renaming", error))
        });
        if written.is_err() {
            // Nothing can be done if even this fails; the first error is the one to tell.
            drop(std::fs::remove_file(&temporary));
        }
        written?;
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|error| SaveError::new("syncing the folder of", error))
    }

    fn write(&self, temporary: &Path) -> Result<(), SaveError> {
        let mut file = create(temporary, &self.path).map_err(|error| SaveError::new("opening", error))?;
        file.write_all(&self.text).map_err(|error| SaveError::new("writing", error))?;
        file.sync_all().map_err(|error| SaveError::new("syncing", error))
    }

    fn temporary(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".tmp-{}", std::process::id()));
        name.into()
    }
}

/// A new file with the mode of the old one, so that digests which were private stay so.
fn create(temporary: &Path, old: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let mode = std::fs::metadata(old).map_or(0o644, |data| data.permissions().mode() & 0o777);
    // A file left by a daemon that was killed while saving.
    drop(std::fs::remove_file(temporary));
    std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(temporary)
}

/// The aclfile could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{doing} the ACL file for ACL SAVE: {source}")]
pub struct SaveError {
    doing: &'static str,
    source: io::Error,
}

impl SaveError {
    const fn new(doing: &'static str, source: io::Error) -> Self {
        Self { doing, source }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn save(path: &Path) -> Result<(), SaveError> {
        SaveJob { path: path.to_owned(), text: b"user default on\n".to_vec() }.run()
    }

    #[test]
    fn a_saved_file_is_read_back_and_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.acl");
        save(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        save(&path).unwrap();
        assert_eq!(LoadJob { path: path.clone() }.run().unwrap(), b"user default on\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
    }

    #[test]
    fn a_failed_save_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.acl");
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join("inside"), "").unwrap();
        let error = save(&path).unwrap_err().to_string();
        assert!(error.starts_with("renaming the ACL file"), "{error}");
        assert_eq!(folder.path().read_dir().unwrap().count(), 1);
        assert!(save(&folder.path().join("none/users.acl")).unwrap_err().to_string().starts_with("opening"));
        assert!(LoadJob { path }.run().is_err());
    }
}
