//! The kernel's sandbox for vouched probes.
//!
//! The promise: what runs in it can't write outside its private folder, nor reach the network or a socket.
//! Landlock (landlock(7)) holds what is written; a seccomp filter
//! (seccomp(2)) holds what Landlock does not know: sockets, modes, owners, times, attributes, mounts, signals. Where the
//! kernel can't enforce it, there is no sandbox: nothing degrades in silence.

use std::collections::BTreeMap;
use std::os::fd::{AsRawFd, OwnedFd};

use landlock::{
    ABI, Access, AccessFs, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, SeccompRule};

/// A sandbox, ready for one command.
pub(super) struct Sandbox {
    private: tempfile::TempDir,
    ruleset: OwnedFd,
    filter: BpfProgram,
}

/// System calls that change what Landlock does not guard, or reach out of the sandbox.
const DENIED: &[libc::c_long] = &[
    // Modes, owners, times, attributes of files.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    SYS_FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    SYS_SETXATTRAT,
    SYS_REMOVEXATTRAT,
    SYS_FILE_SETATTR,
    // Mounts and namespaces.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_mount_setattr,
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    // Other processes.
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pidfd_getfd,
    libc::SYS_ptrace,
    libc::SYS_process_vm_writev,
    libc::SYS_setpriority,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_ioprio_set,
    // Ways around this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_quotactl,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_userfaultfd,
    // System V queues and memory are outside of the file system.
    libc::SYS_msgsnd,
    libc::SYS_msgctl,
    libc::SYS_semop,
    libc::SYS_semctl,
    libc::SYS_shmctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
];

// Newer than the C library's headers (include/uapi/asm-generic/unistd.h; alike on every architecture).
const SYS_FCHMODAT2: libc::c_long = 452;
const SYS_SETXATTRAT: libc::c_long = 463;
const SYS_REMOVEXATTRAT: libc::c_long = 466;
const SYS_FILE_SETATTR: libc::c_long = 469;

/// The calls of x86-64 that later architectures no longer have.
#[cfg(target_arch = "x86_64")]
const DENIED_OLD: &[libc::c_long] =
    &[libc::SYS_chmod, libc::SYS_chown, libc::SYS_lchown, libc::SYS_utime, libc::SYS_utimes, libc::SYS_futimesat];
#[cfg(not(target_arch = "x86_64"))]
const DENIED_OLD: &[libc::c_long] = &[];

/// How the private folders of a run's probes begin, so that its keeper finds those that were left.
pub fn private_prefix(run: &str) -> String {
    format!("runbook-probe-{run}-")
}

impl Sandbox {
    /// Prepares one; says what the kernel lacks where it can't.
    pub fn new() -> Result<Self, String> {
        let lacking = |what: &str| format!("this kernel can't confine it ({what})");
        let private = tempfile::Builder::new()
            .prefix(&private_prefix(&super::tree::RUN))
            .tempdir()
            .map_err(|_| "no private folder could be made for it".to_owned())?;
        let landlock = || -> Result<OwnedFd, Box<dyn std::error::Error>> {
            // Version 3 guards truncation; without it a file could be emptied.
            let all = AccessFs::from_all(ABI::V3);
            let reading = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
            let mut ruleset = Ruleset::default()
                .set_compatibility(CompatLevel::HardRequirement)
                .handle_access(all)?
                .create()?
                .add_rule(PathBeneath::new(PathFd::new("/")?, reading))?
                .add_rule(PathBeneath::new(PathFd::new(private.path())?, all))?;
            for device in ["/dev/null", "/dev/zero", "/dev/full"] {
                if let Ok(device) = PathFd::new(device) {
                    ruleset = ruleset.add_rule(PathBeneath::new(device, AccessFs::ReadFile | AccessFs::WriteFile))?;
                }
            }
            let fd: Option<OwnedFd> = ruleset.into();
            fd.ok_or_else(|| "no ruleset".into())
        };
        let ruleset = landlock().map_err(|_| lacking("Landlock 3 is missing"))?;
        let filter = filter().map_err(|_| lacking("no seccomp filter"))?;
        Ok(Self { private, ruleset, filter })
    }

    /// Has a command run in it. The private folder lasts as long as what is given back.
    pub fn confine(self, command: &mut tokio::process::Command) -> Result<tempfile::TempDir, String> {
        let Self { private, ruleset, filter } = self;
        command.env("HOME", private.path()).env("TMPDIR", private.path());
        // SAFETY: between fork and exec only system calls are made, on values that were prepared before; nothing allocates.
        unsafe {
            command.pre_exec(move || {
                // No terminal to speak to, no descriptor but the three.
                libc::setsid();
                libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
                if libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                if libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                let program =
                    libc::sock_fprog { len: filter.len() as libc::c_ushort, filter: filter.as_ptr().cast_mut().cast() };
                if libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) != 0 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        Ok(private)
    }
}

fn filter() -> Result<BpfProgram, Box<dyn std::error::Error>> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in DENIED.iter().chain(DENIED_OLD) {
        rules.insert(*call, Vec::new());
    }
    rules.insert(libc::SYS_socket, Vec::new());
    let deny = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, deny, std::env::consts::ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}
