//! The world of `runbooks/secureconnect/`: 17 containers by the plan's names on a Docker engine, and what can go wrong with
//! them. Its images are built here and then, from one static program.
//!
//! `secureconnect-world prepare DIR`, `up DIR`, `fault DIR NAME`, `mend DIR`, `down DIR`, `faults`.

mod faults;
mod system;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use system::{Edit, SECRETS, SERVICES, Settings};

const COMPOSE_FILE: &str = "docker-compose.production.yml";

const USAGE: &str = "usage: secureconnect-world COMMAND DIR

  prepare DIR [--prefix P] [--port-offset N] [--project NAME] [--image TAG] [--real yes]
               makes the folder, the secrets, the Compose file and the image; nothing runs yet. `--real yes` takes redis,
               nginx, prometheus and alertmanager from Debian's packages (nothing is installed)
  up DIR       brings the system up, and waits until it is healthy (prepares DIR if that was not done)
  fault DIR NAME
               breaks something; `faults` lists what
  mend DIR     takes back whatever was broken, and waits until all is healthy
  down DIR     removes every container, network and volume of it
  clean DIR    the same, and the image
  faults       lists what can be broken";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["faults"] => {
            faults::FAULTS.iter().for_each(|(name, what)| println!("{name:<18} {what}"));
            Ok(())
        }
        ["prepare", dir, options @ ..] => prepare(Path::new(dir), options).map(drop),
        ["up", dir, options @ ..] => World::open_or_prepare(Path::new(dir), options).and_then(|world| world.up()),
        ["fault", dir, name] => World::open(Path::new(dir)).and_then(|world| faults::fault(&world, name)),
        ["mend", dir] => World::open(Path::new(dir)).and_then(|world| world.mend()),
        ["down", dir] => World::open(Path::new(dir)).and_then(|world| world.down()),
        ["clean", dir] => World::open(Path::new(dir)).and_then(|world| {
            world.down()?;
            docker(&["image", "rm", "--force", &world.settings.image]).map(drop)
        }),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// A system that was prepared in a folder.
pub struct World {
    pub dir: PathBuf,
    pub settings: Settings,
}

fn prepare(dir: &Path, options: &[&str]) -> Result<World, String> {
    let option = |name: &str| options.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1]);
    let known = ["--prefix", "--port-offset", "--project", "--image", "--real"];
    if let Some(unknown) = options.iter().step_by(2).find(|word| !known.contains(word)) {
        return Err(format!("there is no option `{unknown}`\n\n{USAGE}"));
    }
    let offset = option("--port-offset").unwrap_or("0");
    let settings = Settings {
        prefix: option("--prefix").unwrap_or_default().to_owned(),
        offset: offset.parse().map_err(|_| format!("`{offset}` is no number of ports"))?,
        project: option("--project").unwrap_or("secureconnect-backend").to_owned(),
        image: option("--image").unwrap_or("secureconnect-service:local").to_owned(),
        real: option("--real") == Some("yes"),
    };
    make_dir(dir)?;
    let dir = std::fs::canonicalize(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    for folder in ["secrets", "scripts", "control"] {
        make_dir(&dir.join(folder))?;
    }
    let world = World { dir, settings };
    world.write("scripts/generate-secret-files.sh", system::GENERATE)?;
    run(Command::new("chmod").arg("+x").arg(world.dir.join("scripts/generate-secret-files.sh")))?;
    run(&mut Command::new(world.dir.join("scripts/generate-secret-files.sh")))?;
    world.write_compose_file(&Edit::default())?;
    world.write("params.toml", &system::params(&world.settings, &world.dir.display().to_string()))?;
    let Settings { prefix, offset, project, image, real } = &world.settings;
    world.write(".world", &format!("{prefix}\n{offset}\n{project}\n{image}\n{real}\n"))?;
    world.build()?;
    Ok(world)
}

/// A file with what its links lead to, in a folder that is made for it.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    make_dir(to.parent().unwrap_or(Path::new(".")))?;
    std::fs::copy(from, to).map(drop).map_err(|error| format!("{} can't be copied: {error}", from.display()))
}

pub fn make_dir(dir: &Path) -> Result<(), String> {
    std::fs::create_dir_all(dir).map_err(|error| format!("{} can't be made: {error}", dir.display()))
}

impl World {
    fn open(dir: &Path) -> Result<Self, String> {
        let dir = std::fs::canonicalize(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
        let text = std::fs::read_to_string(dir.join(".world"))
            .map_err(|_| format!("{} was not prepared: `secureconnect-world prepare {0}`", dir.display()))?;
        let lines: Vec<&str> = text.lines().collect();
        let [prefix, offset, project, image, real] = lines.as_slice() else {
            return Err(format!("{}/.world can't be read", dir.display()));
        };
        let settings = Settings {
            prefix: (*prefix).to_owned(),
            offset: offset.parse().unwrap_or(0),
            project: (*project).to_owned(),
            image: (*image).to_owned(),
            real: *real == "true",
        };
        Ok(Self { dir, settings })
    }

    fn open_or_prepare(dir: &Path, options: &[&str]) -> Result<Self, String> {
        match Self::open(dir) {
            Ok(world) if options.is_empty() => Ok(world),
            _ => prepare(dir, options),
        }
    }

    pub fn write(&self, name: &str, text: &str) -> Result<(), String> {
        std::fs::write(self.dir.join(name), text).map_err(|error| format!("{name} can't be written: {error}"))
    }

    pub fn write_compose_file(&self, edit: &Edit) -> Result<(), String> {
        self.write(COMPOSE_FILE, &system::compose_file(&self.settings, edit))
    }

    pub fn container(&self, name: &str) -> String {
        format!("{}{name}", self.settings.prefix)
    }

    /// One static program in an image of its own.
    fn build(&self) -> Result<(), String> {
        let build = self.dir.join(".build");
        make_dir(&build)?;
        let source = include_str!("service.rs");
        let current = std::fs::read_to_string(build.join("service.rs")).is_ok_and(|before| before == source);
        if !current || !build.join("service").exists() {
            self.write(".build/service.rs", source)?;
            self.write(".build/Dockerfile", "FROM scratch\nCOPY service /service\nENTRYPOINT [\"/service\"]\n")?;
            let flags = ["--edition=2024", "-O", "-Ctarget-feature=+crt-static", "-Cstrip=symbols", "-o", "service"];
            run(Command::new("rustc").args(flags).arg("service.rs").current_dir(&build))?;
        }
        if self.settings.real {
            self.gather(&build)?;
        }
        // The classic builder needs nothing from a registry.
        let build = build.display().to_string();
        let id = || docker(&["images", "--quiet", "--no-trunc", &self.settings.image]).unwrap_or_default();
        let before = id();
        run(Command::new("docker")
            .args(["build", "--quiet", "--tag", &self.settings.image, &build])
            .env("DOCKER_BUILDKIT", "0"))?;
        // An image that lost its name is nobody's; one that is still in use stays.
        if !before.is_empty() && before != id() {
            let _ = docker(&["image", "rm", before.trim()]);
        }
        Ok(())
    }

    /// Debian's own programs, unpacked, each with the libraries that it loads.
    fn gather(&self, build: &Path) -> Result<(), String> {
        let (packages, real) = (build.join("packages"), build.join("real"));
        if real.exists() {
            return Ok(());
        }
        make_dir(&packages)?;
        run(Command::new("apt-get").arg("download").args(system::PACKAGES).current_dir(&packages))?;
        let unpacked = packages.join("all");
        for entry in std::fs::read_dir(&packages).map_err(|error| error.to_string())?.flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "deb") {
                run(Command::new("dpkg").arg("-x").arg(entry.path()).arg(&unpacked))?;
            }
        }
        let libraries = unpacked.join("usr/lib/x86_64-linux-gnu");
        for program in system::PROGRAMS {
            let path = unpacked.join(program);
            let needs = run(Command::new("ldd").arg(&path).env("LD_LIBRARY_PATH", &libraries))?;
            copy(&path, &real.join(program))?;
            for word in needs.split_whitespace().filter(|word| word.starts_with('/')) {
                let from = Path::new(word);
                let place = if word.contains("ld-linux") { "lib64" } else { "usr/lib" };
                copy(from, &real.join(place).join(from.file_name().unwrap_or_default()))?;
            }
        }
        for template in ["default.tmpl", "email.tmpl"] {
            let path = Path::new("usr/share/prometheus/alertmanager").join(template);
            copy(&unpacked.join(&path), &real.join(&path))?;
        }
        // nginx asks who its user is.
        make_dir(&real.join("etc"))?;
        std::fs::write(real.join("etc/passwd"), "root:x:0:0:root:/:/\n").map_err(|error| error.to_string())?;
        std::fs::write(real.join("etc/group"), "root:x:0:\n").map_err(|error| error.to_string())?;
        let dockerfile = "FROM scratch\nCOPY real /\nCOPY service /service\nENV LD_LIBRARY_PATH=/usr/lib\nENTRYPOINT [\"/service\"]\n";
        std::fs::write(build.join(".dockerignore"), "packages\n").map_err(|error| error.to_string())?;
        std::fs::write(build.join("Dockerfile"), dockerfile).map_err(|error| error.to_string())
    }

    /// Compose, of whichever kind is installed, on this system.
    pub fn compose(&self, args: &[&str]) -> Result<(), String> {
        let newer =
            Command::new("docker").args(["compose", "version"]).output().is_ok_and(|said| said.status.success());
        let mut command = if newer { Command::new("docker") } else { Command::new("docker-compose") };
        if newer {
            command.arg("compose");
        }
        command.args(["--file", COMPOSE_FILE, "--project-name", &self.settings.project]).args(args);
        run(command.current_dir(&self.dir)).map(drop)
    }

    fn up(&self) -> Result<(), String> {
        self.compose(&["up", "--detach", "--remove-orphans"])?;
        self.wait_until_well()?;
        println!("{} containers run; the runbooks take --params {}/params.toml", SERVICES.len(), self.dir.display());
        Ok(())
    }

    fn mend(&self) -> Result<(), String> {
        for entry in std::fs::read_dir(self.dir.join("control")).map_err(|error| error.to_string())?.flatten() {
            let _ = std::fs::remove_file(entry.path());
        }
        // Moved back, not made anew: what containers have mounted is the file itself.
        let kept = self.dir.join(faults::KEPT);
        for entry in std::fs::read_dir(&kept).into_iter().flatten().flatten() {
            let _ = std::fs::rename(entry.path(), self.dir.join("secrets").join(entry.file_name()));
        }
        run(&mut Command::new(self.dir.join("scripts/generate-secret-files.sh")))?;
        self.write_compose_file(&Edit::default())?;
        self.compose(&["up", "--detach", "--remove-orphans"])?;
        // What was logged stays with its container.
        if self.dir.join(faults::LOGGED).exists() {
            self.compose(&["up", "--detach", "--force-recreate", "--no-deps", "chat-service"])?;
            let _ = std::fs::remove_file(self.dir.join(faults::LOGGED));
        }
        self.wait_until_well()
    }

    fn down(&self) -> Result<(), String> {
        let missing = SECRETS.iter().any(|file| !self.dir.join("secrets").join(file).exists());
        if missing {
            run(&mut Command::new(self.dir.join("scripts/generate-secret-files.sh")))?;
        }
        self.write_compose_file(&Edit::default())?;
        let label = format!("label=com.docker.compose.project={}", self.settings.project);
        let of_project = docker(&["ps", "--all", "--filter", &label, "--format", "{{.Names}}"])?;
        // Also what has one of its names, and is none of its own.
        let names = docker(&["ps", "--all", "--format", "{{.Names}}"])?;
        let named = |name: &&str| SERVICES.iter().any(|service| self.container(service.container) == **name);
        let left: BTreeSet<&str> =
            of_project.split_whitespace().chain(names.split_whitespace().filter(named)).collect();
        let left: Vec<&str> = left.into_iter().collect();
        if !left.is_empty() {
            docker(&[&["rm", "--force", "--volumes"], left.as_slice()].concat())?;
        }
        let down = || self.compose(&["down", "--volumes", "--remove-orphans"]);
        // A network that was left a moment ago may still seem to be used.
        down().or_else(|_| {
            std::thread::sleep(Duration::from_secs(1));
            down()
        })
    }

    /// State and health of a container, as the engine words them.
    pub fn state(&self, container: &str) -> String {
        let format = "{{.State.Status}} {{if .State.Health}}{{.State.Health.Status}}{{end}} {{.RestartCount}}";
        docker(&["inspect", "--format", format, &self.container(container)]).unwrap_or_default()
    }

    pub fn wait_until_well(&self) -> Result<(), String> {
        for service in &SERVICES {
            let well = if service.health_check { "running healthy" } else { "running " };
            self.wait_until(service.container, |state| state.starts_with(well))?;
        }
        Ok(())
    }

    pub fn wait_until(&self, container: &str, reached: impl Fn(&str) -> bool) -> Result<(), String> {
        let until = Instant::now() + Duration::from_secs(120);
        loop {
            let state = self.state(container);
            if reached(state.trim()) {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(format!("{} is still `{}` after two minutes", self.container(container), state.trim()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

pub fn docker(args: &[&str]) -> Result<String, String> {
    run(Command::new("docker").args(args))
}

/// Runs a command to its end; what it printed, or why it failed.
pub fn run(command: &mut Command) -> Result<String, String> {
    let words = format!("{command:?}");
    let said = command.stdin(Stdio::null()).output().map_err(|error| format!("{words}: {error}"))?;
    if said.status.success() {
        return Ok(String::from_utf8_lossy(&said.stdout).into_owned());
    }
    Err(format!("{words}: {}\n{}", said.status, String::from_utf8_lossy(&said.stderr).trim()))
}
