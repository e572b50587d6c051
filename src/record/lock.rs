//! Locks: no two runs with one name at once, on this host.
//!
//! A file in the user's own state folder, locked as flock(2) does: the kernel frees it when its holder dies. What its
//! holder wrote into it tells the others who that is. The file itself stays: to remove it would let two hold "it".

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::private::{Fault, PrivateDir};
use crate::value::display::io_words;

/// Something that is locked as long as this lives, and as long as the commands of the run that holds it.
#[derive(Debug)]
pub struct Held {
    file: File,
}

impl Held {
    pub(super) fn new(file: File) -> Self {
        // The watchdog holds it too: it is free only when nothing of the run is left.
        crate::process::hold(file.as_fd());
        Self { file }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        crate::process::release(self.file.as_fd());
        let _ = self.file.unlock();
    }
}

/// A lock with a name.
#[derive(Debug)]
pub struct Lock {
    name: String,
    folder: PrivateDir,
    file: String,
    path: PathBuf,
}

/// Who holds a lock, as they wrote into it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub lock: String,
    pub by: String,
    pub host: String,
    pub pid: u32,
    pub since: Timestamp,
    pub runbook: String,
    pub file: String,
    #[serde(default)]
    pub run: Option<String>,
}

impl Holder {
    fn is_dead(&self) -> bool {
        !Path::new("/proc").join(self.pid.to_string()).exists()
    }
}

/// How long the commands of a holder that was killed may take to end.
const ENDING: Duration = Duration::from_secs(5);

/// Why a lock was not got.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Someone has it. `None`: who has only just got it and has not said who they are.
    #[error("the lock is held on this host")]
    Held(Option<Box<Holder>>),
    #[error("there is no home folder to keep locks in")]
    NoHome,
    /// Others could change what stands there.
    #[error("{what}: {why}")]
    Untrusted { what: &'static str, why: String },
    #[error("`{}` can't be made: {}", .path.display(), io_words(.source))]
    Directory { path: PathBuf, source: std::io::Error },
    #[error("the lock file `{}` can't be {what}: {}", .path.display(), io_words(.source))]
    File { path: PathBuf, what: &'static str, source: std::io::Error },
}

impl Lock {
    /// The lock of this name in the user's own state folder: `$XDG_STATE_HOME/runbook/locks`, else
    /// `~/.local/state/runbook/locks` (XDG Base Directory Specification).
    pub fn named(name: &str) -> Result<Self, LockError> {
        let folder = match std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()) {
            Some(folder) => folder,
            None => home().ok_or(LockError::NoHome)?.join(".local/state"),
        };
        let folder = folder.join("runbook");
        let opened = PrivateDir::make(&folder, "XDG_STATE_HOME").and_then(|folder| folder.make_dir("locks"));
        let opened = opened.map_err(|fault| match fault {
            Fault::Untrusted(why) => LockError::Untrusted { what: "no lock is kept where others can change it", why },
            Fault::Failed(source) => LockError::Directory { path: folder.join("locks"), source },
        })?;
        let readable: String =
            name.chars().map(|char| if char.is_ascii_alphanumeric() { char } else { '-' }).take(40).collect();
        let hash = crate::check::library::hex(&Sha256::digest(name.as_bytes()));
        let file = format!("{readable}-{}", &hash[..12]);
        let path = folder.join("locks").join(&file);
        Ok(Self { name: name.to_owned(), folder: opened, file, path })
    }

    /// Takes it, or says who has it. `wait`: for how long it is waited for.
    pub fn take(&self, holder: &Holder, wait: Duration) -> Result<Held, LockError> {
        let failed = |what, source| LockError::File { path: self.path.clone(), what, source };
        let mut file = self.folder.file(&self.file, OFlags::RDWR | OFlags::CREATE).map_err(|fault| match fault {
            Fault::Untrusted(why) => LockError::Untrusted { what: "the lock file is not trusted", why },
            Fault::Failed(source) => failed("opened", source),
        })?;
        let began = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(std::fs::TryLockError::WouldBlock) if began.elapsed() < wait => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(std::fs::TryLockError::WouldBlock) => {
                    let holder = holder_of(&mut file);
                    // Its holder is dead, and its commands are being ended: that takes a moment.
                    if holder.as_ref().is_some_and(|holder| holder.is_dead()) && began.elapsed() < wait + ENDING {
                        std::thread::sleep(Duration::from_millis(20));
                        continue;
                    }
                    return Err(LockError::Held(holder));
                }
                Err(std::fs::TryLockError::Error(error)) => return Err(failed("locked", error)),
            }
        }
        let text = serde_json::to_string(holder).unwrap_or_default() + "\n";
        let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(text.as_bytes()));
        written.map_err(|error| failed("written", error))?;
        Ok(Held::new(file))
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

fn holder_of(file: &mut File) -> Option<Box<Holder>> {
    // Who takes it writes a moment later.
    for _ in 0..20 {
        let mut text = String::new();
        if file.rewind().is_ok()
            && file.read_to_string(&mut text).is_ok()
            && let Ok(holder) = serde_json::from_str(&text)
        {
            return Some(Box::new(holder));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

fn home() -> Option<PathBuf> {
    let said = std::env::var_os("HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    said.or_else(|| {
        let user = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten()?;
        Some(user.dir)
    })
}
