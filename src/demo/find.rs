//! Which programs to run.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::args::DemoArgs;
use super::error::Error;

/// The programs that the demo runs or speaks of.
pub(super) struct Programs {
    /// Data node.
    pub(super) server: PathBuf,
    /// The daemon under show.
    pub(super) sentinel: PathBuf,
    /// Whether `sentinel` is this very program, so that our own directives may be used.
    pub(super) own: bool,
    /// Command line client for the hints, if there is one.
    pub(super) client: Option<PathBuf>,
}

impl Programs {
    /// Take what the arguments name, look for the rest on the PATH.
    pub(super) fn find(args: &DemoArgs) -> Result<Self, Error> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        let server = match &args.server_program {
            Some(given) => named(given, &folders)?,
            None => first(&["redis-server", "valkey-server"], &folders).ok_or(Error::NoServer)?,
        };
        let (sentinel, own) = match &args.sentinel_program {
            Some(given) => (named(given, &folders)?, false),
            None => (env::current_exe().map_err(|source| Error::OwnPath { source })?, true),
        };
        Ok(Self { server, sentinel, own, client: first(&["redis-cli", "valkey-cli"], &folders) })
    }
}

/// The first of `names` that is executable in one of `folders`; an earlier name wins over an earlier folder.
fn first(names: &[&str], folders: &[PathBuf]) -> Option<PathBuf> {
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    candidates.into_iter().find(|path| executable(path))
}

/// A program that the user named: a path, or a name on the PATH.
fn named(given: &Path, folders: &[PathBuf]) -> Result<PathBuf, Error> {
    if executable(given) && given.components().count() > 1 {
        // Made absolute because the daemons run in a folder of their own.
        return std::path::absolute(given).map_err(|source| Error::OwnPath { source });
    }
    let name = given.to_str().filter(|name| !name.contains('/'));
    name.and_then(|name| first(&[name], folders))
        .ok_or_else(|| Error::NotExecutable { path: given.to_owned() })
}

fn executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(name: &str, mode: u32) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        folder
    }

    #[test]
    fn only_executable_files_count() {
        let readable = folder_with("redis-server", 0o644);
        let runnable = folder_with("valkey-server", 0o755);
        let folders = [readable.path().to_owned(), runnable.path().to_owned()];
        let found = first(&["redis-server", "valkey-server"], &folders);
        assert_eq!(found, Some(runnable.path().join("valkey-server")));
        assert_eq!(first(&["redis-server"], &folders), None);
    }

    #[test]
    fn a_named_program_is_a_path_or_a_name_on_the_path() {
        let folder = folder_with("my-sentinel", 0o755);
        let folders = [folder.path().to_owned()];
        let whole = folder.path().join("my-sentinel");
        assert_eq!(named(&whole, &[]).unwrap(), whole);
        assert_eq!(named(Path::new("my-sentinel"), &folders).unwrap(), whole);
        assert!(named(Path::new("other"), &folders).is_err());
        assert!(named(&folder.path().join("other"), &folders).is_err());
    }
}
