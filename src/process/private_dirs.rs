//! What probes of runs that are gone have left in the temporary directory: removed when the next run starts, beside it.
//!
//! In: the names of private directories, which tell the process that made them. Out: none of those whose process is gone.
//! A probe may have left anything in it: directories without rights, immutable files, tens of thousands of nested
//! directories. So nothing here recurses, follows a link or a mount, or takes longer than [`BUDGET`].

use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rustix::fs::{AtFlags, Dir, FileType, IFlags, Mode, OFlags, Stat};
use rustix::io::{Errno, Result};

use super::mark;
use super::origin::Origin;

/// How long one start may take to remove; what is left is for the next one.
const BUDGET: Duration = Duration::from_secs(3);

/// Directories of other containers, whose processes are not seen from here, are left alone for so long.
const ELSEWHERE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the end of a probe may take to remove what it has left.
const AT_ONCE: Duration = Duration::from_millis(500);

/// How the private directories of a run's probes begin, so that its watchdog finds those that were left.
fn prefix(run: &str) -> String {
    format!("runbook-probe-{run}-")
}

/// A private directory of a probe. Dropped, it is removed with all that is in it.
pub(in crate::process) struct Private(tempfile::TempDir);

impl Private {
    pub fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir();
        let folder = folder.canonicalize().unwrap_or(folder);
        tempfile::Builder::new().prefix(&prefix(&mark::RUN)).tempdir_in(folder).map(Self)
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let above = self.path().parent().and_then(|above| rustix::fs::open(above, flags, Mode::empty()).ok());
        let name = self.path().file_name().and_then(|name| CString::new(name.as_encoded_bytes()).ok());
        if let (Some(above), Some(name)) = (above, name) {
            // What it does not come to is for the next start.
            let _ = remove(above.as_fd(), &name, Instant::now() + AT_ONCE);
        }
        self.0.disable_cleanup(true);
    }
}

/// Removes leftovers while a run goes on. Dropped, it waits for them, if there are any.
pub struct Tidying {
    found: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Begins to remove what is left of runs that are gone.
pub fn tidy() -> Tidying {
    let found = Arc::new(AtomicBool::new(false));
    let finding = found.clone();
    let remove = move || {
        let until = Instant::now() + BUDGET;
        leftovers(&std::env::temp_dir(), until, &|| finding.store(true, Ordering::Relaxed));
    };
    // Without a thread they are left for the next start.
    let thread = std::thread::Builder::new().name("tidy".to_owned()).spawn(remove).ok();
    Tidying { found, thread }
}

impl Drop for Tidying {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && self.found.load(Ordering::Relaxed)
        {
            let _ = thread.join();
        }
    }
}

/// Removes the private directories of one run, which is gone.
pub(super) fn of_run(run: &str) {
    each(&std::env::temp_dir(), Instant::now() + BUDGET, |name, _| run_of(name) == Some(run), &|| {});
}

/// Removes those of all runs that are gone.
fn leftovers(folder: &Path, until: Instant, found: &dyn Fn()) {
    each(folder, until, |name, stat| run_of(name).is_some_and(|run| is_gone(run, stat)), found);
}

/// The run that a private directory is of, by its name.
fn run_of(name: &str) -> Option<&str> {
    let run = name.rsplit('-').nth(1)?;
    name.starts_with(&prefix(run)).then_some(run)
}

/// Whether the process that a run's name tells of is gone.
fn is_gone(run: &str, stat: &Stat) -> bool {
    let Some(origin) = Origin::of(run) else { return false };
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    match origin.is_seen_here() {
        true => !origin.is_alive(),
        false => now.as_secs().saturating_sub(stat.st_mtime.unsigned_abs()) > ELSEWHERE.as_secs(),
    }
}

fn each(folder: &Path, until: Instant, wanted: impl Fn(&str, &Stat) -> bool, found: &dyn Fn()) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(folder) = rustix::fs::open(folder, flags, Mode::empty()) else { return };
    for name in names(folder.as_fd()).unwrap_or_default() {
        let Some(text) = name.to_str().ok().filter(|name| run_of(name).is_some()) else { continue };
        let Ok(stat) = rustix::fs::statat(&folder, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        if is_ours(&stat) && wanted(text, &stat) {
            found();
            // One that can't be removed is no reason to leave the others.
            let _ = remove(folder.as_fd(), &name, until);
        }
    }
}

/// A directory that this user made.
fn is_ours(stat: &Stat) -> bool {
    let me = rustix::process::geteuid().as_raw();
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory && stat.st_uid == me
}

fn names(folder: BorrowedFd<'_>) -> Result<Vec<CString>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push(entry.file_name().to_owned());
        }
    }
    Ok(names)
}

/// How deep it goes down at once. What is deeper is moved to the top first, so that neither depth nor the length of a path
/// matters, and each start gets further than the one before it.
const DEEPEST: usize = 256;

/// A directory on the way down.
struct Level {
    name: CString,
    inode: u64,
    /// What in it was not looked at yet.
    entries: Vec<CString>,
}

impl Level {
    fn of(name: &CString, folder: &OwnedFd) -> Result<Self> {
        let inode = rustix::fs::fstat(folder)?.st_ino;
        Ok(Self { name: name.clone(), inode, entries: names(folder.as_fd())? })
    }
}

/// Removes a directory and all in it.
fn remove(above: BorrowedFd<'_>, name: &CString, until: Instant) -> Result<()> {
    let top = open(above, name, None)?;
    let device = rustix::fs::fstat(&top)?.st_dev;
    let mut moved = 0_u64;
    loop {
        let mut here = top.try_clone().map_err(|_| Errno::MFILE)?;
        let mut levels = vec![Level::of(name, &top)?];
        if levels[0].entries.is_empty() {
            break;
        }
        while let Some(level) = levels.last_mut() {
            if Instant::now() >= until {
                return Err(Errno::TIMEDOUT);
            }
            let Some(entry) = level.entries.pop() else {
                let done = levels.pop();
                if let (Some(above), Some(done)) = (levels.last(), done) {
                    let up = rustix::fs::openat(
                        &here,
                        "..",
                        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
                        Mode::empty(),
                    )?;
                    // Somebody has moved it meanwhile: this is not where it was come from.
                    if rustix::fs::fstat(&up)?.st_ino != above.inode {
                        return Err(Errno::XDEV);
                    }
                    // What was made in it meanwhile is for the next round.
                    let _ = removed(up.as_fd(), &done.name, device)?;
                    here = up;
                }
                continue;
            };
            if removed(here.as_fd(), &entry, device)? {
                continue;
            }
            // It has its rights now: a directory that is moved is written, too.
            let nested = open(here.as_fd(), &entry, Some(device))?;
            if levels.len() < DEEPEST {
                levels.push(Level::of(&entry, &nested)?);
                here = nested;
            } else {
                move_up(here.as_fd(), &entry, top.as_fd(), &mut moved)?;
            }
        }
    }
    rustix::fs::unlinkat(above, name, AtFlags::REMOVEDIR)
}

fn move_up(from: BorrowedFd<'_>, name: &CString, to: BorrowedFd<'_>, moved: &mut u64) -> Result<()> {
    loop {
        *moved += 1;
        match rustix::fs::renameat(from, name, to, format!("moved-{moved}")) {
            // So one is called that an earlier start has moved there.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            done => return done,
        }
    }
}

/// Removes a file or an empty directory; `false`: there is something in it.
fn removed(folder: BorrowedFd<'_>, name: &CString, device: u64) -> Result<bool> {
    for first in [true, false] {
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(true),
            stat => stat?,
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let how = if kind == FileType::Directory { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match rustix::fs::unlinkat(folder, name, how) {
            Ok(()) => return Ok(true),
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
            Err(Errno::PERM | Errno::ACCESS) if first => {
                if kind == FileType::Directory {
                    drop(open(folder, name, Some(device))?);
                } else if kind == FileType::RegularFile {
                    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                    changeable(rustix::fs::openat(folder, name, flags, Mode::empty())?.as_fd());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(Errno::PERM)
}

/// Opens a directory of this user, after it was given its rights back.
fn open(above: BorrowedFd<'_>, name: &CString, device: Option<u64>) -> Result<OwnedFd> {
    let here = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let found = rustix::fs::openat(above, name, here, Mode::empty())?;
    let stat = rustix::fs::fstat(&found)?;
    if !is_ours(&stat) || device.is_some_and(|device| device != stat.st_dev) {
        return Err(Errno::XDEV);
    }
    let reading = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(stat.st_mode);
    if !mode.contains(Mode::RWXU) {
        // By its descriptor, which no link can take the place of. What is immutable has its mode changed behind that.
        let by_descriptor = format!("/proc/self/fd/{}", found.as_raw_fd());
        if rustix::fs::chmod(&by_descriptor, mode | Mode::RWXU).is_err() {
            changeable(rustix::fs::openat(&found, ".", reading, Mode::empty())?.as_fd());
            rustix::fs::chmod(&by_descriptor, mode | Mode::RWXU)?;
        }
    }
    let opened = rustix::fs::openat(&found, ".", reading, Mode::empty())?;
    changeable(opened.as_fd());
    Ok(opened)
}

/// Takes from a file what keeps even root from removing it (chattr(1)).
fn changeable(file: BorrowedFd<'_>) {
    let kept = IFlags::IMMUTABLE | IFlags::APPEND;
    if let Ok(flags) = rustix::fs::ioctl_getflags(file)
        && flags.intersects(kept)
    {
        let _ = rustix::fs::ioctl_setflags(file, flags - kept);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A name as a run of this process would make, were it another one.
    fn left(folder: &Path, change: impl Fn(&str) -> String) -> std::path::PathBuf {
        let path = folder.join(prefix(&change(&Origin::here().to_string())) + "aBc123");
        std::fs::create_dir(&path).expect("made");
        path
    }

    /// Of a process that is gone.
    fn gone(run: &str) -> String {
        format!("4294967295.{}", run.split_once('.').expect("parts").1)
    }

    fn tidied(folder: &Path) -> bool {
        let found = AtomicBool::new(false);
        leftovers(folder, Instant::now() + BUDGET, &|| found.store(true, Ordering::Relaxed));
        found.into_inner()
    }

    #[test]
    fn only_what_this_user_left_for_good_is_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        let alive = left(path, str::to_owned);
        let elsewhere = left(path, |run| {
            let (rest, namespace) = run.rsplit_once('.').expect("parts");
            format!("{rest}.{namespace}1")
        });
        let of_an_older_version = path.join("runbook-probe-4294967295.17ab-aBc123");
        let another = path.join("runbook-probes-4294967295");
        let aside = path.join("aside");
        for path in [&of_an_older_version, &another, &aside] {
            std::fs::create_dir(path).expect("made");
        }
        std::fs::write(aside.join("kept"), "").expect("written");
        let link = path.join(prefix(&gone(&Origin::here().to_string())) + "linked");
        std::os::unix::fs::symlink(&aside, &link).expect("a link");
        let file = path.join(prefix(&gone(&Origin::here().to_string())) + "file12");
        std::fs::write(&file, "").expect("written");
        assert!(!tidied(path));
        let left = left(path, gone);
        std::os::unix::fs::symlink(&aside, left.join("link")).expect("a link");
        std::fs::create_dir_all(left.join("a/b/c")).expect("made");
        std::fs::write(left.join("a/b/c/d"), "").expect("written");
        assert!(tidied(path));
        assert!(!left.exists());
        for path in [alive, elsewhere, of_an_older_version, another, aside.join("kept"), link, file] {
            assert!(path.symlink_metadata().is_ok(), "{} stays", path.display());
        }
    }

    #[test]
    fn directories_without_rights_and_very_deep_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = left(folder.path(), gone);
        let mode =
            |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
        std::fs::create_dir_all(left.join("x/y/z")).expect("made");
        std::fs::write(left.join("x/y/file"), "").expect("written");
        mode(&left.join("x/y/z"), 0o000);
        mode(&left.join("x/y"), 0o300);
        mode(&left.join("x"), 0o500);
        // One that an earlier start had moved.
        std::fs::create_dir_all(left.join("moved-1/in")).expect("made");
        // Deeper than a path may be long, than there are descriptors, and than the stack would allow.
        let mut deep = rustix::fs::open(&left, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        for _ in 0..2_000 {
            rustix::fs::mkdirat(&deep, "d", Mode::RWXU).expect("made");
            deep = rustix::fs::openat(&deep, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        }
        mode(&left, 0o000);
        // What one start has no time for is left for the next.
        let mut starts = 0;
        while left.exists() {
            starts += 1;
            assert!(starts < 20, "it does not end");
            tidied(folder.path());
        }
    }

    #[test]
    fn a_private_directory_goes_with_all_that_a_probe_has_left_in_it() {
        let private = Private::new().expect("a directory");
        let path = private.path().to_owned();
        std::fs::create_dir_all(path.join("x/y")).expect("made");
        std::fs::set_permissions(path.join("x"), std::fs::Permissions::from_mode(0o300)).expect("a mode");
        let mut deep = rustix::fs::open(&path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        for _ in 0..100 {
            rustix::fs::mkdirat(&deep, "d", Mode::RWXU).expect("made");
            deep = rustix::fs::openat(&deep, "d", OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty()).expect("open");
        }
        drop(private);
        assert!(!path.exists());
    }

    #[test]
    fn it_ends_when_its_time_is_up() {
        let folder = tempfile::tempdir().expect("a folder");
        let left = left(folder.path(), gone);
        std::fs::create_dir_all(left.join("a/b/c/d")).expect("made");
        leftovers(folder.path(), Instant::now(), &|| {});
        assert!(left.exists());
        assert!(tidied(folder.path()) && !left.exists());
    }
}
