//! The seccomp filter (seccomp(2)): which system calls a confined probe may make without a question.
//!
//! In: the allowlist below. Out: a BPF program. A call that is not on the list, or has other arguments than the list says,
//! is put to the supervisor; what the supervisor does not know either is refused there, and counted. So a call that nobody
//! thought of, or that a newer kernel brings, is refused. Numbers of x32 and of other architectures are never on the list.

use std::os::fd::RawFd;

use libc::{c_long, sock_filter};

/// Whether the probe may open connections, with no supervisor asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    Refused,
    /// No sandbox holds what it asks there.
    Allowed,
}

/// What an argument of a call has to be.
#[derive(Clone, Copy)]
enum Arg {
    /// The argument, masked, is a value. For arguments that the kernel reads as 32 bits.
    Is(u8, u32, u32),
    /// The argument is a null pointer.
    Null(u8),
}

use Arg::{Is, Null};

/// All bits of an argument.
const ALL: u32 = u32::MAX;

/// Any of these, each of which is a list of which all must hold.
type Condition = &'static [&'static [Arg]];

/// The audit architecture of this program (linux/audit.h); a call under another one is never on the list. `None` where nobody
/// has gone through the calls: there is no sandbox then.
#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: Option<u32> = Some(0xc000_003e);
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: Option<u32> = Some(0xc000_00b7);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(super) const ARCHITECTURE: Option<u32> = None;

/// Calls that change nothing outside of the process, its children and what it holds open. A file that it holds open for
/// writing lies in its private directory: Landlock and the supervisor let it open no other.
const ALLOWED: &[c_long] = &[
    // What is open: read, written, duplicated, waited for.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_lseek,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_vmsplice,
    libc::SYS_copy_file_range,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_signalfd4,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_settime,
    libc::SYS_timerfd_gettime,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_rm_watch,
    libc::SYS_memfd_create,
    // Names and file systems.
    libc::SYS_fstat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_getxattr,
    libc::SYS_lgetxattr,
    libc::SYS_fgetxattr,
    libc::SYS_listxattr,
    libc::SYS_llistxattr,
    libc::SYS_flistxattr,
    libc::SYS_name_to_handle_at,
    SYS_CACHESTAT,
    SYS_STATMOUNT,
    SYS_LISTMOUNT,
    SYS_GETXATTRAT,
    SYS_LISTXATTRAT,
    // Memory of its own.
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_mprotect,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_mlock,
    libc::SYS_mlock2,
    libc::SYS_munlock,
    libc::SYS_mlockall,
    libc::SYS_munlockall,
    libc::SYS_get_mempolicy,
    libc::SYS_set_mempolicy,
    libc::SYS_mbind,
    libc::SYS_pkey_alloc,
    libc::SYS_pkey_free,
    libc::SYS_pkey_mprotect,
    libc::SYS_membarrier,
    SYS_MAP_SHADOW_STACK,
    SYS_MSEAL,
    // Threads, children, identity.
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_set_tid_address,
    libc::SYS_set_robust_list,
    libc::SYS_futex,
    SYS_FUTEX_WAITV,
    SYS_FUTEX_WAKE,
    SYS_FUTEX_WAIT,
    SYS_FUTEX_REQUEUE,
    libc::SYS_rseq,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_getattr,
    libc::SYS_sched_get_priority_max,
    libc::SYS_sched_get_priority_min,
    libc::SYS_sched_rr_get_interval,
    libc::SYS_getpriority,
    libc::SYS_ioprio_get,
    libc::SYS_getcpu,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_setpgid,
    libc::SYS_getsid,
    libc::SYS_setsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_capget,
    libc::SYS_capset,
    libc::SYS_getrlimit,
    libc::SYS_getrusage,
    libc::SYS_umask,
    libc::SYS_personality,
    libc::SYS_pidfd_open,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_restrict_self,
    SYS_LSM_GET_SELF_ATTR,
    SYS_LSM_LIST_MODULES,
    // Signals that it gets, and time.
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigsuspend,
    libc::SYS_sigaltstack,
    libc::SYS_restart_syscall,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
    libc::SYS_timer_create,
    libc::SYS_timer_settime,
    libc::SYS_timer_gettime,
    libc::SYS_timer_getoverrun,
    libc::SYS_timer_delete,
    libc::SYS_times,
    // The host, looked at.
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
    // Sockets that it has: pairs of its own, netlink for questions, and dummies that were given for those it was refused.
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_recvmmsg,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_shutdown,
];

/// The calls of x86-64 that later architectures no longer have.
#[cfg(target_arch = "x86_64")]
const ALLOWED_OLD: &[c_long] = &[
    libc::SYS_lstat,
    libc::SYS_poll,
    libc::SYS_select,
    libc::SYS_dup2,
    libc::SYS_pipe,
    libc::SYS_pause,
    libc::SYS_alarm,
    libc::SYS_time,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_arch_prctl,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_signalfd,
    libc::SYS_inotify_init,
    libc::SYS_sysfs,
    libc::SYS_ustat,
];
#[cfg(not(target_arch = "x86_64"))]
const ALLOWED_OLD: &[c_long] = &[];

/// Namespaces (clone(2)), and `CLONE_PARENT`, which would make a sibling of a child.
const CLONE_REFUSED: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_PARENT) as u32;

/// The flags of open(2) that decide whether only a directory is read.
const OPEN_DECIDES: u32 =
    (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_PATH | libc::O_DIRECTORY | libc::O_TMPFILE) as u32;

/// Where `AF_UNIX`, `SOCK_STREAM` stand in socketpair(2): a type without its flags.
const SOCKET_TYPE: u32 = 0xf;

/// The class in a priority of ioprio_set(2): 2 is best effort, 3 is idle.
const IO_CLASS: u32 = 7 << 13;

/// Calls that are allowed with some arguments.
const CONDITIONAL: &[(c_long, Condition)] = &[
    (libc::SYS_clone, &[&[Is(0, CLONE_REFUSED, 0)]]),
    // Only a directory, only for reading: what find(1) does a thousand times.
    (libc::SYS_openat, &[&[Is(2, OPEN_DECIDES, libc::O_DIRECTORY as u32)]]),
    // Of a name itself, or of what is open: no link of another process can be followed.
    (
        libc::SYS_newfstatat,
        &[
            &[Is(3, libc::AT_SYMLINK_NOFOLLOW as u32, libc::AT_SYMLINK_NOFOLLOW as u32)],
            &[Is(3, libc::AT_EMPTY_PATH as u32, libc::AT_EMPTY_PATH as u32)],
        ],
    ),
    (
        libc::SYS_statx,
        &[
            &[Is(2, libc::AT_SYMLINK_NOFOLLOW as u32, libc::AT_SYMLINK_NOFOLLOW as u32)],
            &[Is(2, libc::AT_EMPTY_PATH as u32, libc::AT_EMPTY_PATH as u32)],
        ],
    ),
    (
        libc::SYS_fcntl,
        &[
            &[Is(1, ALL, libc::F_DUPFD as u32)],
            &[Is(1, ALL, libc::F_GETFD as u32)],
            &[Is(1, ALL, libc::F_SETFD as u32)],
            &[Is(1, ALL, libc::F_GETFL as u32)],
            &[Is(1, ALL, libc::F_SETFL as u32)],
            // Locks: for writing, the file must be open for writing.
            &[Is(1, ALL, libc::F_GETLK as u32)],
            &[Is(1, ALL, libc::F_SETLK as u32)],
            &[Is(1, ALL, libc::F_SETLKW as u32)],
            &[Is(1, ALL, libc::F_OFD_GETLK as u32)],
            &[Is(1, ALL, libc::F_OFD_SETLK as u32)],
            &[Is(1, ALL, libc::F_OFD_SETLKW as u32)],
            &[Is(1, ALL, libc::F_GETOWN as u32)],
            &[Is(1, ALL, libc::F_GETLEASE as u32)],
            &[Is(1, ALL, libc::F_DUPFD_CLOEXEC as u32)],
            &[Is(1, ALL, libc::F_SETPIPE_SZ as u32)],
            &[Is(1, ALL, libc::F_GETPIPE_SZ as u32)],
            &[Is(1, ALL, libc::F_ADD_SEALS as u32)],
            &[Is(1, ALL, libc::F_GET_SEALS as u32)],
            &[Is(1, ALL, F_DUPFD_QUERY)],
        ],
    ),
    // Shared locks of readers; an exclusive one would hold others up.
    (
        libc::SYS_flock,
        &[
            &[Is(1, !(libc::LOCK_NB as u32), libc::LOCK_SH as u32)],
            &[Is(1, !(libc::LOCK_NB as u32), libc::LOCK_UN as u32)],
        ],
    ),
    (
        libc::SYS_ioctl,
        &[
            &[Is(1, ALL, libc::FIOCLEX as u32)],
            &[Is(1, ALL, libc::FIONCLEX as u32)],
            &[Is(1, ALL, libc::FIONBIO as u32)],
        ],
    ),
    (
        libc::SYS_prctl,
        &[
            &[Is(0, ALL, libc::PR_SET_PDEATHSIG as u32)],
            &[Is(0, ALL, libc::PR_GET_PDEATHSIG as u32)],
            &[Is(0, ALL, libc::PR_GET_DUMPABLE as u32)],
            &[Is(0, ALL, libc::PR_SET_DUMPABLE as u32)],
            &[Is(0, ALL, libc::PR_GET_KEEPCAPS as u32)],
            &[Is(0, ALL, libc::PR_SET_KEEPCAPS as u32)],
            &[Is(0, ALL, libc::PR_SET_NAME as u32)],
            &[Is(0, ALL, libc::PR_GET_NAME as u32)],
            &[Is(0, ALL, libc::PR_GET_SECCOMP as u32)],
            &[Is(0, ALL, libc::PR_CAPBSET_READ as u32)],
            &[Is(0, ALL, libc::PR_CAPBSET_DROP as u32)],
            &[Is(0, ALL, libc::PR_GET_SECUREBITS as u32)],
            &[Is(0, ALL, libc::PR_SET_TIMERSLACK as u32)],
            &[Is(0, ALL, libc::PR_GET_TIMERSLACK as u32)],
            &[Is(0, ALL, libc::PR_SET_CHILD_SUBREAPER as u32)],
            &[Is(0, ALL, libc::PR_GET_CHILD_SUBREAPER as u32)],
            &[Is(0, ALL, libc::PR_SET_NO_NEW_PRIVS as u32)],
            &[Is(0, ALL, libc::PR_GET_NO_NEW_PRIVS as u32)],
            &[Is(0, ALL, libc::PR_GET_TID_ADDRESS as u32)],
            &[Is(0, ALL, libc::PR_SET_THP_DISABLE as u32)],
            &[Is(0, ALL, libc::PR_GET_THP_DISABLE as u32)],
            &[Is(0, ALL, libc::PR_CAP_AMBIENT as u32)],
            &[Is(0, ALL, libc::PR_GET_SPECULATION_CTRL as u32)],
            &[Is(0, ALL, libc::PR_SET_VMA as u32)],
            &[Is(0, ALL, libc::PR_SET_PTRACER as u32)],
        ],
    ),
    // Filters of its own; not one with a supervisor.
    (libc::SYS_seccomp, &[&[Is(1, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as u32, 0)]]),
    // Limits and priorities of itself: looked at, or lowered as everybody may.
    (libc::SYS_prlimit64, &[&[Is(0, ALL, 0), Null(2)]]),
    (libc::SYS_sched_setaffinity, &[&[Is(0, ALL, 0)]]),
    (
        libc::SYS_sched_setscheduler,
        &[
            &[Is(0, ALL, 0), Is(1, ALL, libc::SCHED_OTHER as u32)],
            &[Is(0, ALL, 0), Is(1, ALL, libc::SCHED_BATCH as u32)],
            &[Is(0, ALL, 0), Is(1, ALL, libc::SCHED_IDLE as u32)],
        ],
    ),
    (
        libc::SYS_ioprio_set,
        &[
            &[Is(0, ALL, 1), Is(1, ALL, 0), Is(2, IO_CLASS, 2 << 13)],
            &[Is(0, ALL, 1), Is(1, ALL, 0), Is(2, IO_CLASS, 3 << 13)],
        ],
    ),
    (libc::SYS_socketpair, &[&[Is(0, ALL, libc::AF_UNIX as u32), Is(1, SOCKET_TYPE, libc::SOCK_STREAM as u32)]]),
];

/// Calls of a client and a server, where connections are allowed.
const ALLOWED_NETWORK: &[c_long] = &[
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_sendto,
    libc::SYS_sendmsg,
    libc::SYS_sendmmsg,
];

/// Sockets of names, of the internet, and of the kernel's own questions.
const CONDITIONAL_NETWORK: &[(c_long, Condition)] = &[(
    libc::SYS_socket,
    &[&[Is(0, ALL, libc::AF_UNIX as u32)], &[Is(0, ALL, libc::AF_INET as u32)], &[Is(0, ALL, libc::AF_INET6 as u32)]],
)];

/// Calls whose arguments neither a filter nor a supervisor can judge, and in whose stead every program has another: they
/// are answered as by a kernel that does not have them.
const MISSING: &[c_long] =
    &[libc::SYS_clone3, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

// Newer than the C library's headers (include/uapi/asm-generic/unistd.h; alike on every architecture).
const SYS_FUTEX_WAITV: c_long = 449;
const SYS_CACHESTAT: c_long = 451;
const SYS_MAP_SHADOW_STACK: c_long = 453;
const SYS_FUTEX_WAKE: c_long = 454;
const SYS_FUTEX_WAIT: c_long = 455;
const SYS_FUTEX_REQUEUE: c_long = 456;
const SYS_STATMOUNT: c_long = 457;
const SYS_LISTMOUNT: c_long = 458;
const SYS_LSM_GET_SELF_ATTR: c_long = 459;
const SYS_LSM_LIST_MODULES: c_long = 461;
const SYS_MSEAL: c_long = 462;
const SYS_GETXATTRAT: c_long = 464;
const SYS_LISTXATTRAT: c_long = 465;
/// fcntl.h: whether two descriptors are one.
const F_DUPFD_QUERY: u32 = 1024 + 3;

/// The filter for an architecture. `passing` is the descriptor over which the confined process hands its supervisor's end out, once.
pub(super) fn program(architecture: u32, network: Network, passing: RawFd) -> Vec<sock_filter> {
    let network = network == Network::Allowed;
    let mut calls: Vec<(u32, Vec<sock_filter>)> = Vec::new();
    let allowed = ALLOWED.iter().chain(ALLOWED_OLD).chain(if network { ALLOWED_NETWORK } else { &[] });
    calls.extend(allowed.map(|call| (*call as u32, vec![Program::ret(libc::SECCOMP_RET_ALLOW)])));
    let missing = Program::ret(libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs());
    calls.extend(MISSING.iter().map(|call| (*call as u32, vec![missing])));
    let conditional = CONDITIONAL.iter().chain(if network { CONDITIONAL_NETWORK } else { &[] });
    calls.extend(conditional.map(|(call, condition)| (*call as u32, Program::any(condition))));
    if !network && let Ok(passing) = u32::try_from(passing) {
        calls.push((libc::SYS_sendmsg as u32, Program::any(&[&[Is(0, ALL, passing)]])));
    }
    calls.sort_by_key(|(call, _)| *call);
    let mut program = Program::default();
    program.load(ARCHITECTURE_AT);
    program.unless_equal(architecture, &[Program::ret(libc::SECCOMP_RET_USER_NOTIF)]);
    program.load(NUMBER_AT);
    program.code.extend(Program::search(&calls));
    program.code
}

/// Where the kernel puts the number, the architecture, and the first argument of a call (`struct seccomp_data`).
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// Instructions of classic BPF.
#[derive(Default)]
struct Program {
    code: Vec<sock_filter>,
}

impl Program {
    fn load(&mut self, at: u32) {
        self.code.push(Self::instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, at));
    }

    fn instruction(code: u32, k: u32) -> sock_filter {
        sock_filter { code: code as u16, jt: 0, jf: 0, k }
    }

    /// Goes on with the next instruction where what was loaded equals `k`, else jumps over `over`.
    fn equal(k: u32, over: usize) -> sock_filter {
        sock_filter { jf: over as u8, ..Self::instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, k) }
    }

    fn ret(action: u32) -> sock_filter {
        Self::instruction(libc::BPF_RET | libc::BPF_K, action)
    }

    /// Finds a call among sorted ones by halves: the kernel goes through the program once for each number there is, when it is
    /// installed. What is not among them is put to the supervisor.
    fn search(calls: &[(u32, Vec<sock_filter>)]) -> Vec<sock_filter> {
        const FEW: usize = 4;
        if calls.len() <= FEW {
            let mut code = Vec::new();
            for (call, then) in calls {
                code.push(Self::equal(*call, then.len()));
                code.extend_from_slice(then);
            }
            code.push(Self::ret(libc::SECCOMP_RET_USER_NOTIF));
            return code;
        }
        let (low, high) = calls.split_at(calls.len() / 2);
        let (from, low, high) = (high[0].0, Self::search(low), Self::search(high));
        let at_least = sock_filter { jf: 1, ..Self::instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, from) };
        let over = Self::instruction(libc::BPF_JMP | libc::BPF_JA, low.len() as u32);
        [vec![at_least, over], low, high].concat()
    }

    fn unless_equal(&mut self, k: u32, then: &[sock_filter]) {
        self.code.push(sock_filter { jt: then.len() as u8, jf: 0, ..Self::equal(k, 0) });
        self.code.extend_from_slice(then);
    }

    /// Allows a call with one of these arguments; any other is put to the supervisor.
    fn any(condition: &[&[Arg]]) -> Vec<sock_filter> {
        let mut code = Vec::new();
        for all in condition {
            let mut alternative = vec![Self::ret(libc::SECCOMP_RET_ALLOW)];
            for arg in all.iter().rev() {
                let mut test = Vec::new();
                let words: &[(u32, u32, u32)] = match arg {
                    Is(at, mask, value) => &[(ARGUMENTS_AT + 8 * u32::from(*at), *mask, *value)],
                    Null(at) => {
                        let at = ARGUMENTS_AT + 8 * u32::from(*at);
                        &[(at, ALL, 0), (at + 4, ALL, 0)]
                    }
                };
                for (at, mask, value) in words.iter().rev() {
                    let behind = test.len() + alternative.len();
                    let word = [
                        Self::instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, *at),
                        Self::instruction(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, *mask),
                        Self::equal(*value, behind),
                    ];
                    test.splice(0..0, word);
                }
                alternative.splice(0..0, test);
            }
            code.extend(alternative);
        }
        code.push(Self::ret(libc::SECCOMP_RET_USER_NOTIF));
        code
    }
}
