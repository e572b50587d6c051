//! The sandbox of vouched probes.
//!
//! The promise: what runs in it writes nothing outside its private directory, reaches no network and no socket, and signals,
//! traces or reconfigures nothing; and **it knows what it refused**: one refusal makes the answer unknown, whatever the exit
//! code and the output. It is an allowlist. A seccomp filter lets through what changes nothing, a supervisor rules on all
//! else, Landlock holds the files once more in the kernel, and of root's capabilities only those to read are left. No
//! namespace changes what a probe sees: the host's processes, network and users are those that it asks of.
//!
//! In: a command. Out: the same command, confined, and the list of what was refused to it. Where a part of it can't be had,
//! the command is not run: nothing degrades in silence.

mod domain;
mod filter;
mod judge;
mod names;
mod process;
mod refusals;
mod ruling;
mod socket;
mod supervisor;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};

pub use filter::Network;
pub use refusals::Refusals;

use crate::value::display::io_words;

use super::private_dirs::Private;

/// Devices that keep nothing of what is written to them (null(4), full(4)).
const WRITABLE_DEVICES: [&str; 3] = ["/dev/null", "/dev/zero", "/dev/full"];

/// Capabilities that only let root read (capabilities(7)): CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE. Tracing itself is refused.
const KEPT_CAPABILITIES: u64 = 1 << 2 | 1 << 19;

/// What keeps programs from writing to a home directory or a repository that they only read. The command's own `env` holds over it.
const SETTINGS: [(&str, &str); 8] = [
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("PYTHON_HISTORY", "/dev/null"),
    ("HISTFILE", "/dev/null"),
    ("LESSHISTFILE", "-"),
    ("PSQL_HISTORY", "/dev/null"),
    ("NODE_REPL_HISTORY", ""),
    ("REDISCLI_HISTFILE", "/dev/null"),
];

/// Variables that name a directory for what a program writes on the side.
const DIRECTORIES: [&str; 8] =
    ["TMPDIR", "TMP", "TEMP", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR", "KUBECACHEDIR", "HELM_CACHE_HOME"];

/// How long the kernel's word is waited for that no process is left.
const AT_ONCE: std::time::Duration = std::time::Duration::from_millis(20);

/// A sandbox, ready for one command.
pub struct Sandbox {
    private: Private,
    ruleset: OwnedFd,
    network: Network,
    architecture: u32,
}

/// What a confined command leaves for its end.
pub struct Confined {
    pub refusals: Refusals,
    /// Ends when the kernel says that no process of the command is left.
    over: tokio::sync::oneshot::Receiver<()>,
    /// Lasts as long as the command.
    _private: Private,
}

impl Sandbox {
    /// Prepares one; says what the kernel lacks where it can't.
    pub fn new(network: Network) -> Result<Self, String> {
        let lacking = |what: &str| format!("this kernel can't confine it ({what})");
        let architecture = filter::ARCHITECTURE.ok_or_else(|| lacking("its system calls are not known"))?;
        let version = domain::version().ok_or_else(|| lacking("Landlock is missing"))?;
        if !has_notices() {
            return Err(lacking("seccomp can't put calls to a supervisor"));
        }
        let private = Private::new().map_err(|_| "no private directory could be made for it".to_owned())?;
        let ruleset = domain::ruleset(version, private.path(), network)
            .map_err(|error| lacking(&format!("Landlock refused its rules: {error}")))?;
        Ok(Self { private, ruleset, network, architecture })
    }

    /// Has a command run in it. `mark` is what its processes bear in their environment.
    pub fn confine(self, command: &mut tokio::process::Command, mark: &str) -> Result<Confined, String> {
        let Self { private, ruleset, network, architecture } = self;
        surround(command, private.path());
        let (own, passed) = std::os::unix::net::UnixStream::pair().map_err(|error| io_words(&error))?;
        let (own, passed) = (OwnedFd::from(own), OwnedFd::from(passed));
        let refusals = Refusals::default();
        let judge = judge::Judge { private: private.path().to_owned(), mark: mark.to_owned() };
        let over = supervisor::start(own, judge, refusals.clone()).map_err(|error| io_words(&error))?;
        let filter = filter::program(architecture, network, passed.as_raw_fd());
        // SAFETY: between fork and exec only system calls are made, on values that were prepared before; nothing allocates.
        unsafe {
            command.pre_exec(move || enter(&ruleset, &filter, &passed));
        }
        Ok(Confined { refusals, over, _private: private })
    }
}

impl Confined {
    /// Whether the command was in the sandbox before it began.
    pub fn is_entered(&self) -> bool {
        self.refusals.is_entered()
    }

    /// Whether nothing that the command started is left, once it has ended itself. The kernel tells it at once; where it
    /// does not, something is left.
    pub async fn is_over(&mut self) -> bool {
        tokio::time::timeout(AT_ONCE, &mut self.over).await.is_ok()
    }
}

/// Why a program can't be run in a sandbox as it runs outside of one, where that is so.
pub fn lost_rights(program: &str, path: Option<&std::ffi::OsStr>) -> Option<String> {
    let candidates: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        std::env::split_paths(path?).map(|directory| directory.join(program)).collect()
    };
    let own = process::Process { thread: std::process::id() as i32 };
    let found = candidates.into_iter().find_map(|path| match own.find(libc::AT_FDCWD, &path, true) {
        process::Place::There(found) => Some(found),
        _ => None,
    })?;
    judge::lost_rights(&found).map(|rights| format!("it would not run {rights}"))
}

/// What this host enforces, in lines for people.
pub fn enforced() -> String {
    let kernel = domain::kernel_version();
    let landlock = match (kernel, domain::version()) {
        (0, _) | (_, None) => "missing: probes are unknown in a dry run".to_owned(),
        (kernel, Some(used)) => format!("version {kernel} (used: {})", used as i32),
    };
    let notices = if has_notices() { "yes" } else { "missing: probes are unknown in a dry run" };
    format!(
        "sandbox of probes:\n  Landlock: {landlock}\n  seccomp with a supervisor: {notices}\n  architecture: {}\n",
        std::env::consts::ARCH
    )
}

/// Whether the kernel puts calls to a supervisor (seccomp(2), SECCOMP_GET_ACTION_AVAIL).
fn has_notices() -> bool {
    let action: u32 = libc::SECCOMP_RET_USER_NOTIF;
    // SAFETY: reads one number, which outlives the call.
    unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) == 0 }
}

fn surround(command: &mut tokio::process::Command, private: &Path) {
    let given: Vec<std::ffi::OsString> = command.as_std().get_envs().map(|(name, _)| name.to_owned()).collect();
    let mut set = |name: &str, value: &std::ffi::OsStr| {
        if !given.iter().any(|given| given == name) {
            command.env(name, value);
        }
    };
    for name in DIRECTORIES {
        set(name, private.as_os_str());
    }
    for (name, value) in SETTINGS {
        set(name, value.as_ref());
    }
}

/// Enters the sandbox, in the process that becomes the command. Each call is checked: one that fails keeps the command from running.
fn enter(ruleset: &OwnedFd, filter: &[libc::sock_filter], passed: &OwnedFd) -> io::Result<()> {
    // SAFETY: system calls on numbers and on memory that lives as long as they take.
    unsafe {
        // No terminal to speak to, no descriptor but the three.
        checked(i64::from(libc::setsid()))?;
        checked(libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC))?;
        // A crash leaves nothing behind.
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        checked(i64::from(libc::setrlimit(libc::RLIMIT_CORE, &raw const none)))?;
        checked(i64::from(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)))?;
        drop_capabilities()?;
        checked(libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0))?;
        let listener = install(filter)?;
        pass(passed, listener)
    }
}

fn checked(result: i64) -> io::Result<i64> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Keeps the capabilities that only let it read, if it has them (capabilities(7)).
unsafe fn drop_capabilities() -> io::Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    const SETPCAP: u64 = 1 << 8;
    let header = [VERSION_3, 0];
    // Effective, permitted, inheritable: the lower half of each, then the upper.
    let mut sets = [[0_u32; 3]; 2];
    // SAFETY: the structures that capget(2) and capset(2) take.
    unsafe {
        checked(libc::syscall(libc::SYS_capget, &raw const header, &raw mut sets))?;
        let join = |index: usize| u64::from(sets[0][index]) | u64::from(sets[1][index]) << 32;
        let (effective, permitted) = (join(0), join(1));
        if effective & SETPCAP != 0 {
            for capability in 0..64 {
                if KEPT_CAPABILITIES & 1 << capability == 0
                    && libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) < 0
                {
                    // Behind the last that this kernel knows.
                    break;
                }
            }
        }
        checked(i64::from(libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)))?;
        let kept = permitted & KEPT_CAPABILITIES;
        let (low, high) = (kept as u32, (kept >> 32) as u32);
        sets = [[low, low, 0], [high, high, 0]];
        checked(libc::syscall(libc::SYS_capset, &raw const header, &raw const sets))?;
    }
    Ok(())
}

/// Installs the filter; its listener.
unsafe fn install(filter: &[libc::sock_filter]) -> io::Result<RawFd> {
    let program = libc::sock_fprog { len: filter.len() as libc::c_ushort, filter: filter.as_ptr().cast_mut() };
    let listens = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let set = |flags: libc::c_ulong| {
        // SAFETY: a program that lives as long as the call.
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) }
    };
    // A signal must not tear a call from its supervisor; kernels before 5.19 can't do that.
    let listener = match set(listens | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) {
        listener if listener >= 0 => listener,
        _ => checked(set(listens))?,
    };
    Ok(listener as RawFd)
}

/// Hands the listener to the supervisor (unix(7), SCM_RIGHTS).
unsafe fn pass(passed: &OwnedFd, listener: RawFd) -> io::Result<()> {
    #[repr(C)]
    struct Control {
        header: libc::cmsghdr,
        listener: RawFd,
        /// The kernel reads whole words.
        _rest: RawFd,
    }
    let mut byte = 0_u8;
    let mut part = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    // SAFETY: numbers and null pointers.
    let mut control: Control = unsafe { MaybeUninit::zeroed().assume_init() };
    control.header.cmsg_len = size_of::<libc::cmsghdr>() + size_of::<RawFd>();
    control.header.cmsg_level = libc::SOL_SOCKET;
    control.header.cmsg_type = libc::SCM_RIGHTS;
    control.listener = listener;
    // SAFETY: as above.
    let mut message: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of::<Control>();
    // SAFETY: a message whose parts live as long as the call.
    checked(unsafe { libc::sendmsg(passed.as_raw_fd(), &raw const message, 0) } as i64)?;
    Ok(())
}
