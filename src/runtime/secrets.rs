//! Credentials that lie in files of their own (mounted Secrets): read at the start, and again when they change.

use std::cell::RefCell;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::rc::{Rc, Weak};
use std::time::Duration;

use super::driver::Driver;
use crate::config::directives::CredentialFile;
use crate::core::Input;
use crate::core::action::Level;

/// How often the files are looked at. A mounted Secret is replaced by swapping a link, so their contents decide.
const LOOK: Duration = Duration::from_secs(2);
/// Longest credential.
const LONGEST: u64 = 64 * 1024;

/// The files and what was read from them last.
pub(super) struct Secrets {
    files: Vec<CredentialFile>,
    known: RefCell<Vec<Option<Content>>>,
}

/// What a look at a file came to: its first line, or the system's words. Never logged.
type Content = Result<Option<String>, String>;

impl Secrets {
    pub(super) fn new(files: Vec<CredentialFile>) -> Self {
        let known = RefCell::new(vec![None; files.len()]);
        Self { files, known }
    }

    /// Read all files and tell the driver what is new. Blocks: for the start only.
    pub(super) fn read_first(&self, driver: &Driver) {
        let contents = self.paths().iter().map(|path| read(path)).collect();
        self.tell(driver, contents);
    }

    /// Read all files, off the loop's thread, and tell the driver what is new.
    pub(super) async fn read_again(&self, driver: &Driver) {
        let paths = self.paths();
        let reading = tokio::task::spawn_blocking(move || paths.iter().map(|path| read(path)).collect());
        if let Ok(contents) = reading.await {
            self.tell(driver, contents);
        }
    }

    /// Look again and again, as long as the driver lives.
    pub(super) async fn watch(self: Rc<Self>, driver: Weak<Driver>) {
        while !self.files.is_empty() {
            tokio::time::sleep(LOOK).await;
            let Some(driver) = driver.upgrade() else { return };
            self.read_again(&driver).await;
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }

    fn tell(&self, driver: &Driver, contents: Vec<Content>) {
        for (index, (file, content)) in self.files.iter().zip(contents).enumerate() {
            // The borrow must end before the driver is told.
            let new = self.known.borrow_mut().get_mut(index).is_some_and(|known| {
                let new = known.as_ref() != Some(&content);
                *known = Some(content.clone());
                new
            });
            match content {
                _ if !new => {}
                Ok(value) => driver.handle(Input::Secret { secret: file.target.clone(), value }),
                // What was read before stays in use: a file that is gone for a moment must not cut the links.
                Err(error) => {
                    let text =
                        format!("failed to read the credential file '{}': {error}", file.path.display());
                    driver.journal().line(Level::Warning, None, &text);
                }
            }
        }
    }
}

fn read(path: &Path) -> Content {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).map_err(|error| error.to_string())?;
    let line = text.lines().next().unwrap_or_default();
    Ok((!line.is_empty()).then(|| line.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_credential() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pass");
        for (text, expected) in [
            ("se cret\n", Some("se cret")),
            ("a\r\nb\n", Some("a")),
            ("x", Some("x")),
            ("", None),
            ("\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(&path), Ok(expected.map(str::to_owned)), "{text:?}");
        }
        assert!(read(&dir.path().join("none")).unwrap_err().contains("No such file"));
    }
}
