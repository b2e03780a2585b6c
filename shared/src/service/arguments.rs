//! The few arguments of a service's program.

use std::ffi::OsString;
use std::path::PathBuf;

/// What the program was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Run,
    Healthcheck,
    Version,
    Help,
}

/// Reads the arguments. The configuration is the file that `--config` names, else LEADRELAY_CONFIG (`variable`), else
/// leadrelay.toml.
pub(super) fn read(
    mut arguments: impl Iterator<Item = OsString>,
    variable: Option<OsString>,
) -> Result<(Task, PathBuf), String> {
    let (mut task, mut file) = (Task::Run, variable.filter(|name| !name.is_empty()).map(PathBuf::from));
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--config") => file = Some(arguments.next().ok_or("--config is followed by a file")?.into()),
            Some(one) if one.starts_with("--config=") => file = Some(one["--config=".len()..].into()),
            Some("--healthcheck") => task = Task::Healthcheck,
            Some("--version" | "-V") => task = Task::Version,
            Some("--help" | "-h") => task = Task::Help,
            _ => return Err(format!("there is no argument {}; --help tells which there are", argument.display())),
        }
    }
    Ok((task, file.unwrap_or_else(|| "leadrelay.toml".into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str], variable: Option<&str>) -> Result<(Task, PathBuf), String> {
        read(arguments.iter().map(OsString::from), variable.map(OsString::from))
    }

    #[test]
    fn the_configuration_is_what_is_named_nearest() {
        assert_eq!(of(&[], None), Ok((Task::Run, "leadrelay.toml".into())));
        assert_eq!(of(&[], Some("")), Ok((Task::Run, "leadrelay.toml".into())));
        assert_eq!(of(&[], Some("a.toml")), Ok((Task::Run, "a.toml".into())));
        assert_eq!(of(&["--healthcheck", "--config", "b.toml"], Some("a")), Ok((Task::Healthcheck, "b.toml".into())));
        assert_eq!(of(&["--config=c.toml"], Some("a")), Ok((Task::Run, "c.toml".into())));
        assert_eq!(of(&["-V"], None).expect("known").0, Task::Version);
        assert!(of(&["--config"], None).is_err());
        assert_eq!(of(&["up"], None), Err("there is no argument up; --help tells which there are".to_owned()));
    }
}
