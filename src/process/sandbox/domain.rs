//! The domain of Landlock (landlock(7)) in which a probe runs: what it may read, and the one directory that it may write to.
//!
//! In: the version of Landlock that this kernel has, the private directory. Out: a ruleset. Where a version lacks a right,
//! the supervisor holds what that right would: version 1 is enough.

use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, Scope,
};

use super::WRITABLE_DEVICES;
use super::filter::Network;

/// Lowers the version that is used, to see what an older kernel would hold; it can't raise it.
const LOWERED: &str = "RUNBOOK_LANDLOCK_ABI";

/// The versions that this program knows, the oldest first.
const KNOWN: [ABI; 9] = [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6, ABI::V7, ABI::V8, ABI::V9];

/// The version of Landlock that this kernel has; 0 if it has none.
pub(super) fn kernel_version() -> i64 {
    const VERSION: u32 = 1;
    // SAFETY: with this flag the kernel reads no memory and only tells its version (landlock_create_ruleset(2)).
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0_usize, VERSION) };
    version.max(0)
}

/// The version that probes run in: the newest that both this kernel and this program know.
pub(super) fn version() -> Option<ABI> {
    let lowered = std::env::var(LOWERED).ok().and_then(|text| text.parse::<i64>().ok()).unwrap_or(i64::MAX);
    let version = kernel_version().min(lowered);
    let known = usize::try_from(version).ok()?.min(KNOWN.len());
    KNOWN.get(known.checked_sub(1)?).copied()
}

/// The domain, with one directory to write to.
pub(super) fn ruleset(
    version: ABI,
    private: &Path,
    network: Network,
) -> Result<OwnedFd, Box<dyn std::error::Error + Send + Sync>> {
    let devices = AccessFs::MakeChar | AccessFs::MakeBlock;
    let mut all = AccessFs::from_all(version);
    let mut ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement);
    match network {
        Network::Allowed => all.remove(AccessFs::ResolveUnix),
        Network::Refused if version >= ABI::V4 => {
            ruleset = ruleset.handle_access(AccessNet::from_all(version))?;
        }
        Network::Refused => {}
    }
    if version >= ABI::V6 {
        let mut scopes = Scope::from_all(version);
        if network == Network::Allowed {
            scopes.remove(Scope::AbstractUnixSocket);
        }
        ruleset = ruleset.scope(scopes)?;
    }
    let control = all & AccessFs::IoctlDev;
    let reading: BitFlags<AccessFs> = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let of_file = AccessFs::Execute | AccessFs::ReadFile;
    let mut ruleset = ruleset
        .handle_access(all)?
        .create()?
        // Names everywhere; contents everywhere but among the devices.
        .add_rule(PathBeneath::new(PathFd::new("/")?, AccessFs::ReadDir))?
        .add_rule(PathBeneath::new(PathFd::new(private)?, all & !devices))?;
    for entry in std::fs::read_dir("/")?.flatten() {
        let (Ok(kind), path) = (entry.file_type(), entry.path()) else { continue };
        if path == Path::new("/dev") || kind.is_symlink() {
            continue;
        }
        if let Ok(open) = PathFd::new(&path) {
            let access = if kind.is_dir() { reading } else { of_file };
            ruleset = ruleset.add_rule(PathBeneath::new(open, access))?;
        }
    }
    for device in WRITABLE_DEVICES {
        if let Ok(open) = PathFd::new(device) {
            let access = control | AccessFs::ReadFile | AccessFs::WriteFile;
            ruleset = ruleset.add_rule(PathBeneath::new(open, access))?;
        }
    }
    for device in ["/dev/random", "/dev/urandom"] {
        if let Ok(open) = PathFd::new(device) {
            ruleset = ruleset.add_rule(PathBeneath::new(open, control | AccessFs::ReadFile))?;
        }
    }
    if let Ok(shared) = PathFd::new("/dev/shm") {
        ruleset = ruleset.add_rule(PathBeneath::new(shared, reading))?;
    }
    let created: Option<OwnedFd> = ruleset.into();
    created.ok_or_else(|| "no ruleset".into())
}
