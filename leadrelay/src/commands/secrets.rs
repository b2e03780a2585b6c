//! `leadrelay secrets`: makes the secrets that are ours to invent, where the configuration names a file and there is none.
//!
//! Invariant: a file that is there is never touched, so it may run before every start. What is not ours to invent, such as a
//! CRM's password, is not made: its absence is told by whoever needs it.

use std::io;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use leadrelay_shared::secrets::{new_key, new_token, rewrite, write_private};
use toml::{Table, Value};

use crate::cli::{Call, Done, Failure};

#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Write the broker's user and password here as well, in the form that RabbitMQ reads from conf.d.
    #[arg(long, value_name = "FILE")]
    broker: Option<PathBuf>,
    /// Write the password of the ledger's database here as well, for PostgreSQL's container to read.
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
}

/// What a missing file is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Fit for a URL and for a header.
    Token,
    /// The key of Standard Webhooks.
    Webhook,
}

pub(crate) fn run(call: &Call, args: Args) -> Done {
    let file = &call.place.file;
    let text = std::fs::read_to_string(file).map_err(|e| cannot(file, "read", &e))?;
    // The error of the parser shows the line, and a line may hold a secret.
    let config: Table = toml::from_str(&text)
        .map_err(|_| Failure::Usage("this is no TOML; `leadrelay check` says where".to_owned()))?;
    for (name, kind) in wanted(&config) {
        let path = call.place.base_dir().join(name);
        if !path.exists() {
            make(kind).and_then(|text| write_private(&path, &text)).map_err(|e| cannot(&path, "written", &e))?;
            call.output.line(format!("made {}", path.display()));
        }
    }
    let base_dir = call.place.base_dir();
    args.broker.map_or(Ok(()), |broker| introduce(base_dir, &config, &broker))?;
    args.database.map_or(Ok(()), |database| hand_over(base_dir, &config, &database))
}

fn cannot(path: &Path, what: &str, error: &io::Error) -> Failure {
    Failure::Failed(format!("{} cannot be {what}: {error}", path.display()))
}

/// The files that the configuration names, and what belongs into them.
fn wanted(config: &Table) -> Vec<(&str, Kind)> {
    let tables = |key: &str| config.get(key).and_then(Value::as_table).into_iter().flat_map(Table::values);
    let tokens = tables("sources").filter_map(|source| source.get("tokens")?.as_array()).flatten();
    let own = [("admin", "token"), ("queue", "password"), ("ledger", "password")]
        .map(|(table, key)| config.get(table)?.get(key));
    let webhooks = tables("destinations").filter(|to| to.get("connector").and_then(Value::as_str) == Some("webhook"));
    let webhooks = webhooks.chain(config.get("alerts").and_then(|alerts| alerts.get("webhook")));
    let tokens = tokens.chain(own.into_iter().flatten()).map(|secret| (secret, Kind::Token));
    let all = tokens.chain(webhooks.filter_map(|to| Some((to.get("secret")?, Kind::Webhook))));
    all.filter_map(|(secret, kind)| Some((secret.get("file")?.as_str()?, kind))).collect()
}

fn make(kind: Kind) -> io::Result<String> {
    match kind {
        Kind::Token => Ok(format!("{}\n", new_token()?)),
        Kind::Webhook => Ok(format!("whsec_{}\n", new_key()?)),
    }
}

/// Tells the broker whom it will meet. It reads this once, when it has no users yet.
fn introduce(base_dir: &Path, config: &Table, broker: &Path) -> Done {
    let queue = |key: &str| config.get("queue")?.get(key);
    let url = queue("url").and_then(Value::as_str).unwrap_or_default();
    let user = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).map(|(user, _)| user);
    let file = queue("password").and_then(|password| password.get("file")?.as_str());
    let (Some(user), Some(file)) = (user, file) else {
        let shape = "queue.url = \"amqp://USER@HOST\" and queue.password = { file = \"..\" }";
        return Err(Failure::Usage(format!("the broker's user is not in the configuration; it says {shape}")));
    };
    let file = base_dir.join(file);
    let password = std::fs::read_to_string(&file).map_err(|e| cannot(&file, "read", &e))?;
    let password = password.trim();
    // A `#` would begin a comment there, and a quote mean something else.
    let plain = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.+=".contains(c));
    if !plain(user) || !plain(password) {
        return Err(Failure::Usage(
            "the broker's user and password may hold letters, digits and - _ . + = here".to_owned(),
        ));
    }
    let text = format!("default_user = {user}\ndefault_pass = {password}\n");
    if std::fs::read_to_string(broker).is_ok_and(|there| there == text) {
        return Ok(());
    }
    // Readable to all who see the directory: the broker is another user, and the only one to see it.
    rewrite(broker, &text).map_err(|e| cannot(broker, "written", &e))
}

/// Lets the database have its own password. It reads this once, when it has no data yet.
fn hand_over(base_dir: &Path, config: &Table, database: &Path) -> Done {
    let file = config.get("ledger").and_then(|ledger| ledger.get("password")?.get("file")?.as_str());
    let Some(file) = file else {
        let shape = "ledger.password = { file = \"..\" }";
        return Err(Failure::Usage(format!("the database's password is not in the configuration; it says {shape}")));
    };
    let file = base_dir.join(file);
    let password = std::fs::read_to_string(&file).map_err(|e| cannot(&file, "read", &e))?;
    if std::fs::read_to_string(database).is_ok_and(|there| there == password) {
        return Ok(());
    }
    // Readable to all who see the directory, as the broker's is.
    rewrite(database, &password).map_err(|e| cannot(database, "written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::Operator;
    use crate::output::Output;
    use crate::place::Place;

    const CONFIG: &str = r#"
[queue]
url = "amqp://relay@broker:5672"
password = { file = "s/broker" }
[ledger]
url = "postgres://relay@db/relay"
password = { file = "s/ledger" }
[admin]
token = { file = "s/admin" }
[sources.a]
tokens = [{ file = "s/a" }, { env = "A" }]
[destinations.web]
connector = "webhook"
secret = { file = "s/web" }
[destinations.crm]
connector = "crm"
secret = { file = "s/crm" }
[alerts.webhook]
url = "https://alerts.example.com/"
secret = { file = "s/alerts" }
[alerts.mail]
password = { file = "s/mail" }
"#;

    fn ran(dir: &Path) -> Done {
        let place = Place::new(Some(dir.join("leadrelay.toml")));
        let call = Call { place, output: Output { json: false }, operator: Operator::default() };
        run(&call, Args { broker: Some(dir.join("90-user.conf")), database: Some(dir.join("database")) })
    }

    #[test]
    fn what_is_ours_is_made_once_and_nothing_else() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("leadrelay.toml"), CONFIG).expect("written");
        let read = |name: &str| std::fs::read_to_string(dir.path().join(name));
        ran(dir.path()).expect("made");
        let all = || {
            ["s/broker", "s/admin", "s/a", "s/web", "90-user.conf", "s/alerts", "s/ledger", "database"]
                .map(|name| read(name).expect(name))
        };
        let first = all();
        assert!(read("s/crm").is_err(), "a CRM's secret is not ours to invent");
        assert!(read("s/mail").is_err(), "nor is that of a mail server");
        assert!(first[5].starts_with("whsec_"), "{}", first[5].len());
        assert!(first[3].starts_with("whsec_") && first[3].trim().len() == "whsec_".len() + 44, "32 bytes of base64");
        assert_eq!(first[4], format!("default_user = relay\ndefault_pass = {}\n", first[0].trim()));
        assert_eq!(first[6], first[7], "the database has the ledger's password");
        ran(dir.path()).expect("again");
        assert_eq!(all(), first, "what is there stays");
    }

    #[test]
    fn a_password_that_the_broker_would_read_otherwise_is_refused() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("leadrelay.toml"), CONFIG).expect("written");
        write_private(&dir.path().join("s/broker"), "pass#word\n").expect("written");
        let Err(Failure::Usage(reason)) = ran(dir.path()) else { panic!("refused") };
        assert!(!reason.contains("pass#word"), "{reason}");
    }
}
