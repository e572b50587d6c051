//! The process behind a call that was put to the supervisor: what its arguments point to, and the files that its paths name.
//!
//! In: a thread id, addresses in its memory, paths as it sees them. Out: bytes, and files as handles that only tell what
//! they are (O_PATH, open(2)). Nothing here opens a file for reading or writing.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// The longest path that the kernel takes, with its end (PATH_MAX, limits.h).
const LONGEST_PATH: usize = 4096;

/// A thread of the probe.
#[derive(Clone, Copy)]
pub(super) struct Process {
    pub thread: i32,
}

/// What a path leads to.
pub(super) struct Found {
    pub file: OwnedFd,
    /// As the kernel names it: `/etc/hosts`, `pipe:[4711]`.
    pub path: PathBuf,
    pub stat: Stat,
}

/// Where a path leads.
pub(super) enum Place {
    There(Found),
    /// Nothing stands there yet; the directory that it would stand in.
    Missing {
        directory: Found,
        name: PathBuf,
    },
    /// The call fails by itself, as it would outside of the sandbox.
    Nowhere,
    /// Through a link of a process (`/proc/4711/exe`), which the supervisor can't follow in its stead: the path.
    Process(PathBuf),
}

impl Process {
    /// Bytes of its memory. Fewer where less is mapped.
    pub fn read(self, address: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0_u8; length];
        let local = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: length };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: length };
        // SAFETY: the local range is `bytes`; the remote one is checked by the kernel.
        let count = unsafe { libc::process_vm_readv(self.thread, &raw const local, 1, &raw const remote, 1, 0) };
        if count < 0 {
            return Err(io::Error::last_os_error());
        }
        bytes.truncate(count.unsigned_abs());
        Ok(bytes)
    }

    /// Writes to its memory, where a call of it wants an answer.
    pub fn write(self, address: u64, bytes: &[u8]) -> io::Result<()> {
        let local = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let remote = libc::iovec { iov_base: address as *mut libc::c_void, iov_len: bytes.len() };
        // SAFETY: the local range is `bytes`, which is only read; the remote one is checked by the kernel.
        let count = unsafe { libc::process_vm_writev(self.thread, &raw const local, 1, &raw const remote, 1, 0) };
        if count.unsigned_abs() == bytes.len() { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// A text that ends with a NUL byte.
    pub fn path(self, address: u64) -> io::Result<PathBuf> {
        const PAGE: u64 = 4096;
        let mut bytes = Vec::new();
        // Page by page: what follows the end of the text need not be mapped.
        while bytes.len() < LONGEST_PATH {
            let at = address.wrapping_add(bytes.len() as u64);
            let more = self.read(at, (PAGE - at % PAGE) as usize)?;
            if let Ok(text) = CStr::from_bytes_until_nul(&more) {
                bytes.extend_from_slice(text.to_bytes());
                return Ok(PathBuf::from(std::ffi::OsString::from_vec(bytes)));
            }
            bytes.extend_from_slice(&more);
        }
        Err(io::Error::from_raw_os_error(libc::ENAMETOOLONG))
    }

    /// A number of its memory, in this machine's byte order.
    pub fn number(self, address: u64) -> io::Result<u64> {
        let bytes = self.read(address, 8)?;
        bytes.try_into().map(u64::from_ne_bytes).map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))
    }

    fn link(self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.thread))
    }

    /// A file that it has open.
    pub fn open_file(self, descriptor: RawFd) -> Result<Found, Errno> {
        Found::of(rustix::fs::open(
            self.link(&format!("fd/{descriptor}")),
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
        )?)
    }

    /// A copy of a descriptor of it (pidfd_getfd(2)).
    pub fn descriptor(self, descriptor: RawFd) -> Result<OwnedFd, Errno> {
        let group = rustix::process::Pid::from_raw(self.group()).ok_or(Errno::SRCH)?;
        let process = rustix::process::pidfd_open(group, rustix::process::PidfdFlags::empty())?;
        rustix::process::pidfd_getfd(process, descriptor, rustix::process::PidfdGetfdFlags::empty())
    }

    /// Its process id.
    pub fn group(self) -> i32 {
        let status = std::fs::read_to_string(self.link("status")).unwrap_or_default();
        let group =
            status.lines().find_map(|line| line.strip_prefix("Tgid:")).and_then(|text| text.trim().parse().ok());
        group.unwrap_or(self.thread)
    }

    /// The name of its program.
    pub fn name(self) -> String {
        std::fs::read_to_string(self.link("comm")).unwrap_or_default().trim_end().to_owned()
    }

    /// Where a path leads, from a directory that the process has open, or its own.
    pub fn find(self, directory: RawFd, path: &Path, follow: bool) -> Place {
        let path = match self.own_descriptor(path) {
            Some(descriptor) if follow => {
                return self.open_file(descriptor).map_or(Place::Nowhere, Place::There);
            }
            _ => path,
        };
        // Its own directory in `/proc`, and not the supervisor's.
        let own;
        let path = if let Ok(rest) = path.strip_prefix("/proc/self") {
            own = PathBuf::from(format!("/proc/{}", self.group())).join(rest);
            &own
        } else if let Ok(rest) = path.strip_prefix("/proc/thread-self") {
            own = PathBuf::from(format!("/proc/{}/task/{}", self.group(), self.thread)).join(rest);
            &own
        } else {
            path
        };
        // Its own root is everybody's, since it can't change it; its own directory is where it starts from.
        let (directory, path) = if let Some(rest) = self.through_own(path, "root") {
            return self.find(directory, &Path::new("/").join(rest), follow);
        } else if let Some(rest) = self.through_own(path, "cwd") {
            (libc::AT_FDCWD, rest)
        } else {
            (directory, path)
        };
        let base = match self.base(directory, path) {
            Ok(base) => base,
            Err(_) => return Place::Nowhere,
        };
        if path.as_os_str().is_empty() {
            return Place::Nowhere;
        }
        let last = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        match look(&base, path, last) {
            Ok(file) => Found::of(file).map_or(Place::Nowhere, Place::There),
            Err(Errno::NOENT) => self.missing(&base, path),
            Err(Errno::LOOP) => {
                let from = named(&base).unwrap_or_default();
                Place::Process(from.join(path))
            }
            Err(_) => Place::Nowhere,
        }
    }

    fn missing(self, base: &OwnedFd, path: &Path) -> Place {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Place::Nowhere };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match look(base, parent, OFlags::DIRECTORY).and_then(Found::of) {
            // A link that leads nowhere: what is made is made where it leads, which is not looked for.
            Ok(directory) if rustix::fs::statat(&directory.file, name, AtFlags::SYMLINK_NOFOLLOW).is_err() => {
                let name = directory.path.join(name);
                Place::Missing { directory, name }
            }
            Ok(directory) => Place::Process(directory.path.join(name)),
            Err(_) => Place::Nowhere,
        }
    }

    fn base(self, directory: RawFd, path: &Path) -> Result<OwnedFd, Errno> {
        let open = |path: &Path| rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        if path.is_absolute() {
            open(Path::new("/"))
        } else if directory == libc::AT_FDCWD {
            open(&self.link("cwd"))
        } else {
            open(&self.link(&format!("fd/{directory}")))
        }
    }

    /// What is behind a link of its own in `/proc`, where a path goes through it.
    fn through_own<'a>(self, path: &'a Path, link: &str) -> Option<&'a Path> {
        let rest = path.strip_prefix("/proc").ok()?;
        let mut parts = rest.components();
        let id = parts.next()?.as_os_str().to_str()?.parse::<i32>().ok()?;
        let own = id == self.thread || id == self.group();
        let rest = parts.as_path().strip_prefix(link).ok()?;
        (own && !rest.as_os_str().is_empty()).then_some(rest)
    }

    /// The descriptor that a path like `/dev/stdout` or `/proc/self/fd/3` means.
    fn own_descriptor(self, path: &Path) -> Option<RawFd> {
        let text = path.to_str()?;
        match text {
            "/dev/stdin" => return Some(0),
            "/dev/stdout" => return Some(1),
            "/dev/stderr" => return Some(2),
            _ => {}
        }
        let rest = text.strip_prefix("/dev/fd/").or_else(|| text.strip_prefix("/proc/self/fd/")).or_else(|| {
            let rest = text.strip_prefix("/proc/")?.split_once("/fd/")?;
            rest.0.parse::<i32>().is_ok_and(|pid| pid == self.thread || pid == self.group()).then_some(rest.1)
        })?;
        rest.parse().ok()
    }
}

/// A path as the kernel resolves it, but for links of processes, which mean other files to the supervisor.
fn look(base: &OwnedFd, path: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let flags = flags | OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::openat2(base, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
}

fn named(file: impl AsFd) -> Result<PathBuf, Errno> {
    let link = format!("/proc/self/fd/{}", file.as_fd().as_raw_fd());
    let name = rustix::fs::readlinkat(CWD, link, Vec::new())?;
    Ok(PathBuf::from(OsStr::from_bytes(name.to_bytes())))
}

impl Found {
    fn of(file: OwnedFd) -> Result<Self, Errno> {
        let stat = rustix::fs::fstat(&file)?;
        let path = named(&file)?;
        Ok(Self { file, path, stat })
    }

    pub fn kind(&self) -> u32 {
        self.stat.st_mode & libc::S_IFMT
    }

    /// A path that means this very file, for calls that take none of its handle.
    pub fn own_path(&self) -> String {
        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }
}

/// The process whose directory in `/proc` a path goes through, and what it asks of it: `/proc/4711/exe` is 4711 and `exe`.
pub(super) fn process_of(path: &Path) -> Option<(Option<i32>, String)> {
    let mut parts = path.strip_prefix("/proc").ok()?.iter().map(|part| part.to_string_lossy().into_owned());
    let id = match &*parts.next()? {
        "self" | "thread-self" => None,
        id => Some(id.parse().ok()?),
    };
    let mut rest: Vec<String> = parts.collect();
    if rest.first().is_some_and(|part| part == "task") {
        rest.drain(..rest.len().min(2));
    }
    rest.into_iter().next().map(|name| (id, name))
}
