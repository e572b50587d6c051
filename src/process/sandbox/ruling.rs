//! A call that was put to the supervisor, and what it is answered.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use libc::{c_int, c_long};

use super::process::Process;
use super::refusals::Refusal;

/// What a call is answered.
pub(super) enum Ruling {
    /// The kernel carries it out.
    Continue,
    /// It comes to an error that is no refusal.
    Fail(c_int),
    /// It was done in its stead; what it comes to.
    Done(i64),
    /// It is given this file.
    Give {
        file: OwnedFd,
        close_on_exec: bool,
    },
    Refuse(c_int, Refusal),
}

/// A call, as the filter put it.
pub(super) struct Call {
    pub process: Process,
    pub number: c_long,
    /// It was made under the architecture of this program.
    pub native: bool,
    pub args: [u64; 6],
}

/// The path in the bytes of a socket's address: up to its NUL byte, if it has one. It need not be text.
pub(super) fn path_of(bytes: &[u8]) -> PathBuf {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    PathBuf::from(std::ffi::OsStr::from_bytes(&bytes[..end]))
}
