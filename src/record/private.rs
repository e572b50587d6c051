//! Directories and files that nobody but their owner can change.
//!
//! In: a path. Out: a descriptor of what stands there, which stays the same whatever happens to the path; or why it is not
//! trusted: it is a symbolic link, it belongs to another user, or others may write to it. Who resumes a run does what its
//! journal says, so a journal that somebody else could have written is not read either.

use std::ffi::OsString;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::value::display::io_words;

/// Why something was not opened.
#[derive(Debug)]
pub enum Fault {
    /// Somebody else may have written it, or may write it: what was found, and what to do.
    Untrusted(String),
    Failed(io::Error),
}

impl Fault {
    pub fn is_missing(&self) -> bool {
        matches!(self, Fault::Failed(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Failed(error)
    }
}

impl From<Errno> for Fault {
    fn from(error: Errno) -> Self {
        Fault::Failed(error.into())
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Fault::Untrusted(why) => f.write_str(why),
            Fault::Failed(error) => f.write_str(&io_words(error)),
        }
    }
}

/// A directory that only its owner can change: this user, or root.
#[derive(Debug)]
pub struct PrivateDir {
    fd: OwnedFd,
    /// As it is named to people.
    path: PathBuf,
    /// The variable that names another place for it.
    variable: &'static str,
}

impl PrivateDir {
    /// Opens the directory at this path. Links above it are followed; it is none itself.
    pub fn open(path: &Path, variable: &'static str) -> Result<Self, Fault> {
        // Without a slash at its end, which would follow a link.
        let path: PathBuf = path.components().collect();
        Self::at(rustix::fs::CWD, &path, path.clone(), variable)
    }

    /// The same; it and what is missing above it are made.
    pub fn make(path: &Path, variable: &'static str) -> Result<Self, Fault> {
        match Self::open(path, variable) {
            Err(fault) if fault.is_missing() => {
                if let Some(above) = path.parent() {
                    DirBuilder::new().recursive(true).mode(0o700).create(above)?;
                }
                // Somebody else who makes it at the same time is looked at as one who made it before.
                match DirBuilder::new().mode(0o700).create(path) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error.into()),
                    _ => Self::open(path, variable),
                }
            }
            opened => opened,
        }
    }

    fn at(above: impl std::os::fd::AsFd, name: &Path, path: PathBuf, variable: &'static str) -> Result<Self, Fault> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match rustix::fs::openat(&above, name, flags, Mode::empty()) {
            Ok(fd) => {
                trusted(&rustix::fs::fstat(&fd)?, &path, variable)?;
                Ok(Self { fd, path, variable })
            }
            Err(error @ (Errno::LOOP | Errno::NOTDIR)) => match rustix::fs::readlinkat(&above, name, Vec::new()) {
                Ok(target) => Err(link(&path, &target.to_string_lossy(), variable)),
                Err(_) => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// A directory in it.
    pub fn dir(&self, name: &str) -> Result<Self, Fault> {
        Self::at(&self.fd, Path::new(component(name)?), self.path.join(name), self.variable)
    }

    /// Makes a directory in it, which was not there before.
    pub fn new_dir(&self, name: &str) -> Result<Self, Fault> {
        rustix::fs::mkdirat(&self.fd, component(name)?, Mode::RWXU)?;
        self.dir(name)
    }

    /// A directory in it, made if it is not there.
    pub fn make_dir(&self, name: &str) -> Result<Self, Fault> {
        match self.new_dir(name) {
            Err(Fault::Failed(error)) if error.kind() == io::ErrorKind::AlreadyExists => self.dir(name),
            made => made,
        }
    }

    /// A file in it. A file that is made can be read and written by its owner alone.
    pub fn file(&self, name: &str, flags: OFlags) -> Result<File, Fault> {
        // What is no file (a pipe, a device) is not waited for.
        let all = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let path = self.path.join(name);
        let fd = match rustix::fs::openat(&self.fd, component(name)?, all, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => fd,
            Err(Errno::LOOP) => {
                let target = rustix::fs::readlinkat(&self.fd, name, Vec::new()).unwrap_or_default();
                return Err(link(&path, &target.to_string_lossy(), self.variable));
            }
            Err(error) => return Err(error.into()),
        };
        let stat = rustix::fs::fstat(&fd)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Fault::Untrusted(format!("`{}` is not a file; remove it", path.display())));
        }
        trusted(&stat, &path, self.variable)?;
        Ok(fd.into())
    }

    /// A file that was not there before, to be written at its end.
    pub fn new_file(&self, name: &str) -> Result<File, Fault> {
        self.file(name, OFlags::RDWR | OFlags::APPEND | OFlags::CREATE | OFlags::EXCL)
    }

    pub fn holds(&self, name: &str) -> bool {
        rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.fd, from, &self.fd, to)?)
    }

    /// The names in it, but for those that are no UTF-8.
    pub fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let name = OsString::from(String::from_utf8_lossy(entry?.file_name().to_bytes()).into_owned());
            names.extend(name.into_string().ok().filter(|name| name != "." && name != ".."));
        }
        Ok(names)
    }

    /// Its descriptor, to be synced.
    pub fn to_sync(&self) -> io::Result<File> {
        Ok(self.fd.try_clone()?.into())
    }
}

/// Makes a file that is to be read by others, or empties the one that is there. Of links, only those are followed that this
/// user or root has made. A device such as `/dev/null` is written as it is; a pipe is not, since nobody may ever read it.
pub fn create(path: &Path) -> Result<File, Fault> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let no_file = || Fault::Untrusted("it is not a file".to_owned());
    let open = |flags| rustix::fs::open(path, flags, Mode::from_raw_mode(0o666));
    let opened = match open(flags | OFlags::NOFOLLOW) {
        Err(Errno::LOOP) => {
            let owner = rustix::fs::lstat(path)?.st_uid;
            if owner != 0 && owner != rustix::process::geteuid().as_raw() {
                return Err(Fault::Untrusted(format!("it is a symbolic link of {}", name_of(owner))));
            }
            open(flags)
        }
        opened => opened,
    };
    let file = File::from(opened.map_err(|error| if error == Errno::NXIO { no_file() } else { error.into() })?);
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        file.set_len(0)?;
    } else if !kind.is_char_device() {
        return Err(no_file());
    }
    Ok(file)
}

fn component(name: &str) -> Result<&str, Fault> {
    match name {
        "" | "." | ".." => Err(io::Error::from(io::ErrorKind::InvalidInput).into()),
        name if name.contains('/') => Err(io::Error::from(io::ErrorKind::InvalidInput).into()),
        name => Ok(name),
    }
}

fn link(path: &Path, target: &str, variable: &str) -> Fault {
    Fault::Untrusted(format!(
        "`{}` is a symbolic link to `{target}`, which is not followed: remove it, or set `{variable}` to a directory \
         that is none",
        path.display()
    ))
}

/// Whether only its owner can change it, and that is this user or root.
fn trusted(stat: &Stat, path: &Path, variable: &str) -> Result<(), Fault> {
    let (path, me) = (path.display(), rustix::process::geteuid());
    if stat.st_uid != me.as_raw() && stat.st_uid != 0 {
        let (owner, me) = (name_of(stat.st_uid), name_of(me.as_raw()));
        return Err(Fault::Untrusted(format!(
            "`{path}` belongs to {owner}, and this runs as {me}: run it as {owner}, or set `{variable}` to a directory \
             of {me}"
        )));
    }
    let mode = Mode::from_raw_mode(stat.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(Fault::Untrusted(format!(
            "`{path}` can be written by others (its mode is {:04o}): `chmod go-w '{path}'`, or set `{variable}` to \
             another directory",
            mode.as_raw_mode() & 0o7777
        )));
    }
    Ok(())
}

fn name_of(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(uid.into()).ok().flatten();
    user.map_or_else(|| format!("user {uid}"), |user| user.name)
}
