//! A service as a program of its own: `main` is one call.
//!
//! Exit codes are those of `leadrelay`: 0 done, 1 failed, 2 a mistake in the configuration or in the call, 130 and 143 a second
//! signal. Standard output says that it is ready and where it listens; everything else goes to standard error.

use std::fmt;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use super::arguments::{self, Task};
use super::boot::{Stopped, on_threads, serve};
use super::{Ctx, Part, Process, RunError, door, probe};
use crate::clock::Clock;
use crate::config::{ConfigError, Loaded, Loader, Mistake, Reading};
use crate::{secrets, telemetry};

type Judge = Box<dyn Fn(&Reading) -> Vec<Mistake>>;
type Parts = Box<dyn FnOnce(&Loaded) -> Vec<Part>>;

/// What one process of several is there for.
pub struct Role {
    name: String,
    about: String,
    loader: Loader,
    secrets_of: Vec<&'static str>,
    judge: Judge,
    parts: Parts,
    for_operators: bool,
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Role({})", self.name)
    }
}

impl Role {
    /// The program `leadrelay-{part}`, which runs one service. `about` says in a sentence what it does.
    pub fn new<F>(part: &'static str, about: &str, run: impl FnOnce(Ctx) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        Self::of(part, about, move |_| vec![Part::new(part, 0, run)])
    }

    /// The program `leadrelay-{name}`, whose services are known once the configuration is.
    pub fn of(name: &str, about: &str, parts: impl FnOnce(&Loaded) -> Vec<Part> + 'static) -> Self {
        Self {
            name: format!("leadrelay-{name}"),
            about: about.to_owned(),
            loader: Loader::default(),
            secrets_of: vec!["queue"],
            judge: Box::new(|_| Vec::new()),
            parts: Box::new(parts),
            for_operators: false,
        }
    }

    /// Is told the secrets of this section too. Those of a destination are told to who knows its connector.
    #[must_use]
    pub fn told(mut self, section: &'static str) -> Self {
        self.secrets_of.push(section);
        self
    }

    /// Knows the connectors of this loader.
    #[must_use]
    pub fn with(mut self, loader: Loader) -> Self {
        self.loader = loader;
        self
    }

    /// Has the configuration judged by more than its shape, before anything starts.
    #[must_use]
    pub fn judged(mut self, judge: impl Fn(&Reading) -> Vec<Mistake> + 'static) -> Self {
        self.judge = Box::new(judge);
        self
    }

    /// Serves operators on `admin.listen` itself, with a token that is made where it is missing, and tells them alerts.
    #[must_use]
    pub fn for_operators(mut self) -> Self {
        self.for_operators = true;
        self.told("admin").told("alerts")
    }

    fn read(&self, file: &Path) -> Reading {
        self.loader.read_part(file, &self.secrets_of)
    }

    /// The configuration, if it makes sense for this role.
    fn sound(&self, file: &Path) -> Result<Loaded, Ending> {
        if self.for_operators {
            secrets::make_admin_token(file).map_err(|reason| Ending::Run(RunError::Other(reason)))?;
        }
        let mut reading = self.read(file);
        if reading.loaded.config.queue.url.is_embedded() && !reading.mistakes.iter().any(|m| m.key.starts_with("queue"))
        {
            let mistake =
                Mistake::new("queue.url", format!("the embedded queue belongs to one process, not to {}", self.name));
            reading.add([
                mistake.remedy("run `leadrelay up`, or write the URL of RabbitMQ: \"amqp://user@host:5672/vhost\"")
            ]);
        }
        reading.add((self.judge)(&reading));
        reading.complete().map_err(Ending::Config)
    }
}

/// Why a process ends with another exit code than 0.
enum Ending {
    Run(RunError),
    Config(ConfigError),
    Usage(String),
    Stopped(Stopped),
}

impl From<RunError> for Ending {
    fn from(error: RunError) -> Self {
        Self::Run(error)
    }
}

impl From<Stopped> for Ending {
    fn from(stopped: Stopped) -> Self {
        Self::Stopped(stopped)
    }
}

/// Does what the arguments of the process ask for, which is usually to run `role` until a signal comes.
pub fn main(role: Role) -> ExitCode {
    // Named places where a test can end the process; only the builds that tests make have any.
    let _points = fail::has_failpoints().then(fail::FailScenario::setup);
    let done = match arguments::read(std::env::args_os().skip(1), std::env::var_os("LEADRELAY_CONFIG")) {
        Err(reason) => Err(Ending::Usage(reason)),
        Ok((Task::Help, _)) => {
            say(&help(&role));
            Ok(())
        }
        Ok((Task::Version, _)) => {
            say(&format!("{} {}", role.name, env!("CARGO_PKG_VERSION")));
            Ok(())
        }
        Ok((Task::Healthcheck, file)) => healthcheck(&role, &file),
        Ok((Task::Run, file)) => run(role, &file),
    };
    let (told, code) = match done {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Ending::Run(error)) => (format!("error: {error}"), 1),
        Err(Ending::Usage(reason)) => (format!("error: {reason}"), 2),
        Err(Ending::Config(error)) => (error.to_string(), 2),
        Err(Ending::Stopped(Stopped(code))) => return ExitCode::from(code),
    };
    // Nobody is left to tell when standard error cannot be written.
    let _ = writeln!(std::io::stderr(), "{told}");
    ExitCode::from(code)
}

fn help(role: &Role) -> String {
    format!(
        "{} {}\n\nUsage: {} [--config FILE]\n\n  --config FILE   the configuration; else LEADRELAY_CONFIG, else \
         leadrelay.toml\n  --healthcheck   ask the running process whether it is ready: exit code 0, or 1 and the reason\n  \
         --version\n  --help",
        role.name, role.about, role.name
    )
}

fn healthcheck(role: &Role, file: &Path) -> Result<(), Ending> {
    let mistaken = |error: ConfigError| RunError::Other(error.to_string());
    let loaded = role.read(file).complete().map_err(mistaken)?;
    probe::is_ready(loaded.config.admin.listen).map_err(|reason| RunError::Other(reason).into())
}

fn run(role: Role, file: &Path) -> Result<(), Ending> {
    let loaded = role.sound(file)?;
    telemetry::init(&loaded.config.log).map_err(Ending::Usage)?;
    let mut parts = (role.parts)(&loaded);
    if !role.for_operators {
        // It is there until the services have ended.
        parts.push(Part::new(door::PART, 1, door::run));
    }
    let name = role.name;
    on_threads(async {
        let start = Process::start(&name, loaded, Clock::real(), parts);
        let announce = async |process: &Process| {
            say(&announcement(&name, process));
            Ok(())
        };
        serve(start, announce).await
    })
}

/// That the process is ready, and where it listens.
fn announcement(name: &str, process: &Process) -> String {
    let mut lines = vec![format!("ready: {name}")];
    let leads = if process.ctx.config().ingest.tls.is_some() { "https" } else { "http" };
    let addresses = process.ctx.status.addresses();
    for (part, who, scheme) in [("ingest", "leads", leads), (door::PART, "operators", "http")] {
        if let Some(address) = addresses.get(part) {
            lines.push(format!("listening for {who} at {scheme}://{}", probe::reachable(*address)));
        }
    }
    lines.join("\n")
}

fn say(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // The reader may have gone.
    let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
}
