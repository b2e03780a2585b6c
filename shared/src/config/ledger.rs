//! `[ledger]`: what is kept and for how long, and in which database.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Url;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::{Loaded, Mistake, Secret, Span};

/// PostgreSQL's own port.
const PORT: u16 = 5432;

const NOT_A_URL: &str = "must be a URL such as \"postgres://user@host:5432/database\", in whose user and database everything \
     but letters and digits is percent-encoded";

/// How a key for payloads is made, for whoever wrote something else there.
const NEW_KEY: &str = "`leadrelay ledger key new FILE` makes a file with one, and with --rotate puts a new one before those that are \
     there";

/// What the ledger keeps, and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerConfig {
    /// The database: left out, a file in `data_dir`, which one process has. Or PostgreSQL, which any number of
    /// ledgers share: `postgres://user@host:5432/database`. It is reached over TLS unless it is on this machine or the URL ends
    /// with `?sslmode=disable`; `?sslmode=verify-full` wants TLS on this machine too.
    pub url: Option<DatabaseUrl>,
    /// The password of PostgreSQL's user.
    pub password: Option<Secret>,
    /// Who signed the server's certificate (PEM), instead of those that the machine trusts.
    pub ca: Option<PathBuf>,
    /// The key that payloads are sealed with where they are kept: 32 bytes in base64. Of several lines the first is the one for new
    /// payloads, and those under the others are read still, and sealed again with the first. Left out, payloads are kept as they are.
    pub payload_key: Option<Secret>,
    /// How long the payload of a delivered lead is kept.
    pub keep_payloads: Span,
    /// How long the history of a lead is kept. Parked ones stay until they are replayed or this old.
    pub keep_history: Span,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        let (keep_payloads, keep_history) = (Span::days(30), Span::days(400));
        Self { url: None, password: None, ca: None, payload_key: None, keep_payloads, keep_history }
    }
}

/// Where PostgreSQL is. `Debug` does not show it: somebody may have written a password into it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct DatabaseUrl(String);

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DatabaseUrl")
    }
}

impl JsonSchema for DatabaseUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DatabaseUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "database-url"})
    }
}

/// How a PostgreSQL database is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The database on it.
    pub name: String,
    /// The user.
    pub user: String,
    /// The user's password, where there is one.
    pub password: Option<Secret>,
    /// Whether it is reached over TLS.
    pub tls: bool,
    /// Who signed its certificate (PEM), instead of those that the machine trusts.
    pub ca: Option<PathBuf>,
}

impl Database {
    /// Reads `postgres://user@host:5432/database`.
    ///
    /// # Errors
    /// What is wrong and the remedy; shows no part of the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        let parsed = Url::parse(url).map_err(|_| NOT_A_URL)?;
        if !matches!(parsed.scheme(), "postgres" | "postgresql") || parsed.fragment().is_some() {
            return Err(NOT_A_URL.to_owned());
        }
        if parsed.password().is_some() {
            let remedy = "leave it out there and write ledger.password = { file = \"..\" }";
            return Err(format!("holds a password, which would be shown where URLs are; {remedy}"));
        }
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or(NOT_A_URL)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = parsed.path().trim_start_matches('/');
        let (user, name) = match (decoded(parsed.username()), decoded(name)) {
            (Some(user), Some(name)) if !user.is_empty() && !name.is_empty() && !parsed.path()[1..].contains('/') => {
                (user, name)
            }
            _ => return Err(NOT_A_URL.to_owned()),
        };
        let local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let tls = match parsed.query() {
            None => !local,
            Some("sslmode=disable") => false,
            Some("sslmode=verify-full") => true,
            Some(_) => {
                let remedy = "write sslmode=disable, sslmode=verify-full or nothing there";
                return Err(format!("asks for something after its `?` that is not known; {remedy}"));
            }
        };
        Ok(Self { host, port: parsed.port().unwrap_or(PORT), name, user, password: None, tls, ca: None })
    }
}

/// A part of a URL without its percent signs; `None` where it is no text.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        bytes.push(match (first, after) {
            (b'%', [high, low, behind @ ..]) => {
                rest = behind;
                let digit = |b: &u8| char::from(*b).to_digit(16);
                u8::try_from(digit(high)? * 16 + digit(low)?).ok()?
            }
            (b'%', _) => return None,
            (byte, _) => *byte,
        });
    }
    String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

impl LedgerConfig {
    /// What is wrong with it.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        self.database_mistakes().into_iter().chain(self.key_mistake()).collect()
    }

    /// The keys that payloads are sealed with, that for new ones first; none where payloads are kept as they are. Do not log them.
    pub fn payload_keys(&self) -> Vec<[u8; 32]> {
        // A line that is no key was told when the configuration was read.
        self.payload_key.iter().flat_map(Secret::lines).filter_map(payload_key).collect()
    }

    fn key_mistake(&self) -> Option<Mistake> {
        let key = self.payload_key.as_ref().filter(|key| !key.is_withheld())?;
        let sound = key.lines().next().is_some() && key.lines().all(|line| payload_key(line).is_some());
        let reason = "holds something else than keys of 32 bytes in base64, each on a line of its own";
        (!sound).then(|| Mistake::new("ledger.payload_key", reason).remedy(NEW_KEY))
    }

    fn database_mistakes(&self) -> Vec<Mistake> {
        let Some(url) = &self.url else {
            let given = [("password", self.password.is_some()), ("ca", self.ca.is_some())];
            let useless = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| {
                let mistake = Mistake::new(format!("ledger.{key}"), "is for PostgreSQL, and there is no ledger.url");
                mistake.remedy("write ledger.url, or leave it out")
            });
            return useless.collect();
        };
        match Database::parse(&url.0) {
            Err(reason) => vec![Mistake::new("ledger.url", reason)],
            Ok(database) if self.ca.is_some() && !database.tls => {
                let mistake =
                    Mistake::new("ledger.ca", "is for a server that is reached over TLS, and this one is not");
                vec![mistake.remedy("end ledger.url with ?sslmode=verify-full, or leave this out")]
            }
            Ok(_) => Vec::new(),
        }
    }
}

/// The key on a line; `None` where it is none.
fn payload_key(line: &str) -> Option<[u8; 32]> {
    STANDARD.decode(line).ok()?.try_into().ok()
}

impl Loaded {
    /// The PostgreSQL database of the ledger; `None` where it is a file in `data_dir`.
    pub fn ledger_database(&self) -> Option<Database> {
        let ledger = &self.config.ledger;
        // One that makes no sense was told when the configuration was read.
        let database = Database::parse(&ledger.url.as_ref()?.0).ok()?;
        let ca = ledger.ca.as_ref().map(|ca| self.path(ca));
        Some(Database { password: ledger.password.clone(), ca, ..database })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Config, Loader};
    use super::*;

    fn of(text: &str) -> Result<Config, Vec<Mistake>> {
        Loader::default().parse(&format!("[ledger]\n{text}"), Path::new("conf"), std::iter::empty())
    }

    fn database(text: &str) -> Option<Database> {
        let config = of(text).unwrap_or_else(|found| panic!("{text}: {found:?}"));
        Loaded { config, file: "conf/leadrelay.toml".into(), base_dir: "conf".into() }.ledger_database()
    }

    #[test]
    fn without_a_url_it_is_a_file() {
        assert_eq!(database(""), None);
    }

    #[test]
    fn a_url_says_where_and_the_rest_stands_beside_it() {
        let whole =
            "url = 'postgres://relay%40eu@db.example.com:6432/leads%2Feu'\npassword = 's3cret'\nca = 'tls/ca.pem'";
        let wanted = Database {
            host: "db.example.com".to_owned(),
            port: 6432,
            name: "leads/eu".to_owned(),
            user: "relay@eu".to_owned(),
            password: Some(Secret::plain("s3cret")),
            tls: true,
            ca: Some("conf/tls/ca.pem".into()),
        };
        assert_eq!(database(whole), Some(wanted));
        let short = database("url = 'postgresql://relay@db/leads'").expect("a database");
        assert_eq!((short.port, short.password, short.ca), (5432, None, None));
    }

    #[test]
    fn what_leaves_the_machine_is_encrypted_unless_the_url_says_otherwise() {
        for (url, tls) in [
            ("postgres://u@db.example.com/d", true),
            ("postgres://u@192.0.2.7/d", true),
            ("postgres://u@db.example.com/d?sslmode=disable", false),
            ("postgres://u@localhost/d", false),
            ("postgres://u@127.0.0.1/d", false),
            ("postgres://u@[::1]/d", false),
            ("postgres://u@[2001:db8::5]/d", true),
            ("postgres://u@localhost/d?sslmode=verify-full", true),
        ] {
            assert_eq!(Database::parse(url).map(|database| database.tls), Ok(tls), "{url}");
        }
        assert_eq!(Database::parse("postgres://u@[::1]/d").expect("a database").host, "::1");
    }

    #[test]
    fn a_key_has_32_bytes_and_the_first_line_is_for_new_payloads() {
        let (one, other) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
        let keys = |text: &str| of(text).expect("sound").ledger.payload_keys();
        assert!(keys("").is_empty());
        assert_eq!(keys(&format!("payload_key = \"{one}\"")), [[1; 32]]);
        assert_eq!(keys(&format!("payload_key = \"{other}\\n\\n {one}\\n\"")), [[2; 32], [1; 32]]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_payloads_are_never_kept_open_for_it() {
        let short = STANDARD.encode([1; 31]);
        for wrong in ["", "  ", "hunter2 is my secret", &short, &format!("{}\\nhunter2", STANDARD.encode([1; 32]))] {
            let found = of(&format!("payload_key = \"{wrong}\"")).expect_err("no key");
            let told = format!("{found:?}");
            assert!(told.contains("ledger.payload_key") && told.contains("`leadrelay ledger key new"), "{told}");
            assert!(!told.contains("hunter2") && !told.contains(&short), "{told}");
        }
    }

    #[test]
    fn no_url_and_no_password_is_printed() {
        let config = of("url = 'postgres://hunter2@db/hunter2'\npassword = 'hunter2'").expect("sound");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_makes_no_sense_is_told_by_its_key_and_shows_no_value() {
        let told = |text: &str| {
            let found = of(text).expect_err(text);
            let told: Vec<String> = found
                .iter()
                .map(|m| format!("{}: {}; {}", m.key, m.reason, m.remedy.as_deref().unwrap_or("-")))
                .collect();
            assert!(!told.join("\n").contains("hunter2"), "{text}: {told:?}");
            told.join("\n")
        };
        assert_eq!(
            told("url = 'postgres://relay:hunter2@db/leads'"),
            "ledger.url: holds a password, which would be shown where URLs are; leave it out there and write ledger.password = \
             { file = \"..\" }; -"
        );
        for url in [
            "hunter2",
            "mysql://hunter2@db/leads",
            "postgres://db/hunter2",
            "postgres://hunter2@db",
            "postgres://hunter2@db/a/b",
            "postgres://hunter2@db/a#b",
            "postgres://hunter2@/a",
            "postgres://hunter2%f@db/a",
            "postgres://hunter2%ff@db/a",
        ] {
            assert!(told(&format!("url = '{url}'")).starts_with("ledger.url: must be a URL such as"), "{url}");
        }
        for query in ["sslmode=prefer", "sslmode=hunter2", "password=hunter2"] {
            let told = told(&format!("url = 'postgres://u@db/d?{query}'"));
            assert!(told.contains("write sslmode=disable, sslmode=verify-full or nothing"), "{told}");
        }
        assert_eq!(
            told("url = 7"),
            "ledger.url: must be a URL such as \"postgres://user@host:5432/database\", not a number; -"
        );
        for key in ["password", "ca"] {
            let wanted = format!(
                "ledger.{key}: is for PostgreSQL, and there is no ledger.url; write ledger.url, or leave it out"
            );
            assert_eq!(told(&format!("{key} = 'hunter2'")), wanted);
        }
        assert!(told("url = 'postgres://u@localhost/d'\nca = 'ca.pem'").starts_with("ledger.ca: is for a server"));
    }
}
