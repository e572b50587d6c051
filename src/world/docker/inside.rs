//! A running container's files, through its first process: as the container itself sees them.
//!
//! Only for an engine of this host, and for who may look at its processes. Nothing is ever found outside the container's
//! root, whatever its links say.

use std::io::Read;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;

/// A path in a container: what it is, and the way to it.
pub(super) struct Found {
    root: OwnedFd,
    path: String,
    pub stat: Stat,
}

/// `None` if nothing lies there. The path is resolved within the container's root, whatever its links say.
pub(super) fn look(pid: i64, id: &str, path: &str) -> Result<Option<Found>, String> {
    let of = |what: &str| format!("/proc/{pid}/{what}");
    // The number may be that of another process, here or in another machine.
    let own = std::fs::read_to_string(of("cgroup")).is_ok_and(|groups| groups.contains(id));
    if !own {
        return Err("its processes are not to be seen on this host".to_owned());
    }
    let words = |error: Errno| super::super::io_words(&error.into());
    let folder = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::openat(CWD, of("root"), folder, Mode::empty()).map_err(words)?;
    let path = path.trim_start_matches('/').to_owned();
    let path = if path.is_empty() { ".".to_owned() } else { path };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match rustix::fs::openat2(&root, &path, flags, Mode::empty(), ResolveFlags::IN_ROOT) {
        Ok(file) => {
            let stat = rustix::fs::fstat(&file).map_err(words)?;
            Ok(Some(Found { root, path, stat }))
        }
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
        Err(error) => Err(words(error)),
    }
}

impl Found {
    pub fn kind(&self) -> &'static str {
        match FileType::from_raw_mode(self.stat.st_mode) {
            FileType::Directory => "folder",
            FileType::CharacterDevice | FileType::BlockDevice => "device",
            FileType::Fifo => "fifo",
            FileType::Socket => "socket",
            _ => "file",
        }
    }

    /// The content of a plain file, as far as `most` bytes.
    pub fn content(&self, most: i64) -> Result<Vec<u8>, String> {
        let words = |error: std::io::Error| super::super::io_words(&error);
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat2(&self.root, &self.path, flags, Mode::empty(), ResolveFlags::IN_ROOT)
            .map_err(|error| words(error.into()))?;
        let mut content = Vec::new();
        let most = u64::try_from(most).unwrap_or(0);
        std::fs::File::from(file).take(most).read_to_end(&mut content).map_err(words)?;
        Ok(content)
    }
}
