use std::cell::Cell;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::system::RealSystem;
use crate::config::{Sources, load};
use crate::core::ids::RunId;

fn config(path: &Path) -> Config {
    let sources = Sources { file: Some(path.to_owned()), ..Sources::default() };
    load(&sources, &RealSystem).unwrap().config
}

fn settings(epoch: u64) -> Settings {
    Settings { my_id: Some(RunId::from("x".repeat(40))), current_epoch: epoch, ..Settings::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A disk that loses its power after a number of steps, each written byte being one.
struct Failing {
    left: Cell<usize>,
}

impl Failing {
    fn step(&self) -> io::Result<()> {
        match self.left.get() {
            0 => Err(io::Error::from_raw_os_error(28)),
            left => {
                self.left.set(left - 1);
                Ok(())
            }
        }
    }
}

impl Disk for Failing {
    fn target(&self, path: &Path) -> io::Result<PathBuf> {
        RealDisk.target(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.step()?;
        RealDisk.read(path)
    }
    fn create(&self, path: &Path) -> io::Result<File> {
        self.step()?;
        RealDisk.create(path)
    }
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
        self.step()?;
        RealDisk.write(file, &bytes[..1])
    }
    fn sync(&self, file: &File) -> io::Result<()> {
        self.step()?;
        RealDisk.sync(file)
    }
    fn adopt(&self, file: &File, from: &Path) -> io::Result<()> {
        self.step()?;
        RealDisk.adopt(file, from)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        RealDisk.rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.step()?;
        RealDisk.sync_folder(folder)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        // The power is gone for good: nobody cleans up.
        self.step()?;
        RealDisk.remove(path)
    }
}

#[test]
fn a_write_torn_anywhere_leaves_the_old_or_the_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    let old = b"# mine\nsentinel monitor a 127.0.0.1 1 1\n";
    fs::write(&path, old).unwrap();
    let config = config(&path);
    Store::new(&config).write(&settings(7), &[], Level::Notice).unwrap();
    let new = fs::read(&path).unwrap();
    let (mut olds, mut news) = (0, 0);
    for steps in 0.. {
        fs::write(&path, old).unwrap();
        let store = Store::with_disk(&config, Failing { left: Cell::new(steps) });
        let result = store.write(&settings(7), &[], Level::Notice);
        let found = fs::read(&path).unwrap();
        match &result {
            Ok(saved) => {
                assert_eq!((*saved, &found), (Saved::Written, &new));
                break;
            }
            Err(error) => assert_eq!(error.reason(), "No space left on device"),
        }
        assert!(found == old || found == new, "{steps}: {}", String::from_utf8_lossy(&found));
        if found == old {
            olds += 1;
        } else {
            news += 1;
        }
        // What was left behind is in nobody's way.
        Store::new(&config).write(&settings(8), &[], Level::Notice).unwrap();
        assert_eq!(names(folder.path()), ["s.conf"], "{steps}");
    }
    // read, create, adopt, each byte, sync, rename: the old file; the folder's sync: the new one.
    assert_eq!((olds, news), (new.len() + 5, 1));
}

#[test]
fn errors_name_the_step_in_sentinels_words_and_nothing_stays_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    fs::write(&path, "").unwrap();
    let config = config(&path);
    let mut seen = Vec::new();
    for steps in 0.. {
        /// Fails once, then works again.
        struct Once(Failing);
        impl Disk for Once {
            fn target(&self, path: &Path) -> io::Result<PathBuf> {
                self.0.target(path)
            }
            fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
                self.0.read(path)
            }
            fn create(&self, path: &Path) -> io::Result<File> {
                self.0.create(path)
            }
            fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<usize> {
                self.0.step()?;
                RealDisk.write(file, bytes)
            }
            fn sync(&self, file: &File) -> io::Result<()> {
                self.0.sync(file)
            }
            fn adopt(&self, file: &File, from: &Path) -> io::Result<()> {
                self.0.adopt(file, from)
            }
            fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
                self.0.rename(from, to)
            }
            fn sync_folder(&self, folder: &Path) -> io::Result<()> {
                self.0.sync_folder(folder)
            }
            fn remove(&self, path: &Path) -> io::Result<()> {
                RealDisk.remove(path)
            }
        }
        fs::write(&path, "").unwrap();
        let store = Store::with_disk(&config, Once(Failing { left: Cell::new(steps) }));
        match store.write(&settings(7), &[], Level::Notice) {
            Ok(_) => break,
            Err(error) => seen.push(error.to_string()),
        }
        assert_eq!(names(folder.path()), ["s.conf"]);
    }
    assert_eq!(
        seen,
        [
            "Could not read the config file (No space left on device)",
            "Could not create tmp config file (No space left on device)",
            "Could not chmod config file (No space left on device)",
            "Failed after writing (0) bytes to tmp config file (No space left on device)",
            "Could not sync tmp config file to disk (No space left on device)",
            "Could not rename tmp config file (No space left on device)",
            "Could not sync config file dir (No space left on device)",
        ]
    );
}

#[test]
fn an_unchanged_file_is_left_alone_unless_the_last_write_is_in_doubt() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    fs::write(&path, "").unwrap();
    let config = config(&path);
    let store = Store::new(&config);
    assert_eq!(store.write(&settings(1), &[], Level::Notice).unwrap(), Saved::Written);
    // The first rewrite leaves a line feed that the second one takes for an empty line.
    assert_eq!(store.write(&settings(1), &[], Level::Notice).unwrap(), Saved::Written);
    assert_eq!(store.write(&settings(1), &[], Level::Notice).unwrap(), Saved::Unchanged);
    assert_eq!(store.write(&settings(2), &[], Level::Notice).unwrap(), Saved::Written);
    assert_eq!(store.write(&settings(2), &[], Level::Debug).unwrap(), Saved::Written);
    store.doubtful.store(true, Ordering::Relaxed);
    assert_eq!(store.write(&settings(2), &[], Level::Debug).unwrap(), Saved::Written);
    assert_eq!(store.write(&settings(2), &[], Level::Debug).unwrap(), Saved::Unchanged);
}

#[test]
fn a_tighter_mode_is_kept_and_a_wider_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    fs::write(&path, "").unwrap();
    let config = config(&path);
    let store = Store::new(&config);
    for (epoch, (old, new)) in
        [(0o600, 0o600), (0o640, 0o640), (0o666, 0o644), (0o755, 0o644)].into_iter().enumerate()
    {
        fs::set_permissions(&path, fs::Permissions::from_mode(old)).unwrap();
        store.write(&settings(epoch as u64 + 5), &[], Level::Notice).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        // The umask of the tests' process can only take more away.
        assert_eq!(mode & !new, 0, "{old:o} became {mode:o}");
        assert_eq!(mode & 0o600, 0o600);
        if new & 0o077 == 0 {
            assert_eq!(mode, new);
        }
    }
}

#[test]
fn a_missing_file_is_made_and_a_folder_in_its_place_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    fs::write(&path, "").unwrap();
    let config = config(&path);
    let store = Store::new(&config);
    fs::remove_file(&path).unwrap();
    store.write(&settings(1), &[], Level::Notice).unwrap();
    assert!(fs::read_to_string(&path).unwrap().starts_with("# Generated by CONFIG REWRITE\n"));
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = store.write(&settings(2), &[], Level::Notice).unwrap_err();
    assert_eq!(error.reason(), "Is a directory");
    assert_eq!(names(folder.path()), ["s.conf"]);
}

#[test]
fn a_link_goes_on_pointing_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let real = folder.path().join("real.conf");
    let link = folder.path().join("link.conf");
    fs::write(&real, "# x\n").unwrap();
    std::os::unix::fs::symlink("real.conf", &link).unwrap();
    Store::new(&config(&link)).write(&settings(1), &[], Level::Notice).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("sentinel current-epoch 1\n"));
}

#[test]
fn owners_are_kept_where_this_process_may() {
    let rights = |capabilities: &str, seccomp: &str| {
        Rights::read(&format!("Name:\tvedette\nCapEff:\t{capabilities}\nSeccomp:\t{seccomp}\n"))
    };
    let (none, all) = ("0000000000000000", "000001ffffffffff");
    let own = rustix::process::getegid().as_raw();
    for (rights, away, to_group) in [
        (rights(all, "0"), true, true),
        (rights(all, "2"), true, true),
        (rights(none, "0"), false, true),
        // A filter may end whoever tries.
        (rights(none, "2"), false, false),
        (Rights::read(""), false, false),
    ] {
        assert_eq!((rights.give_away(), rights.give_to_group(own)), (away, to_group), "{rights:?}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.conf");
    fs::write(&path, "").unwrap();
    if Rights::of_this_process().capable {
        std::os::unix::fs::chown(&path, Some(1234), Some(2345)).unwrap();
        Store::new(&config(&path)).write(&settings(7), &[], Level::Notice).unwrap();
        let kept = fs::metadata(&path).unwrap();
        assert_eq!((kept.uid(), kept.gid()), (1234, 2345));
    }
}
