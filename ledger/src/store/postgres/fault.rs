//! What PostgreSQL refuses, in words that hold no address, no password and no value.

use std::error::Error as _;
use std::fmt;

use tokio_postgres::error::SqlState;

/// What keeps PostgreSQL from being used. The text says what to do; the server's own words may show values and are not kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: Kind,
    /// The server's SQLSTATE, where it has answered.
    code: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unreachable,
    Lost,
    Silent,
    Certificate,
    CaFile,
    Credentials,
    NoDatabase,
    Forbidden,
    Full,
    Crowded,
    ReadOnly,
    Starting,
    HeldUp,
    /// Another transaction was in the way; the same again goes through.
    Again,
    /// A month has no part.
    NoMonth,
    Other,
}

impl Kind {
    fn of(state: &SqlState) -> Self {
        match state.code() {
            "28P01" | "28000" => Self::Credentials,
            "3D000" => Self::NoDatabase,
            "42501" => Self::Forbidden,
            "53100" => Self::Full,
            "53300" => Self::Crowded,
            "25006" => Self::ReadOnly,
            "57P01" | "57P02" | "57P03" => Self::Starting,
            "55P03" | "57014" => Self::HeldUp,
            "40001" | "40P01" => Self::Again,
            // The only check that there is: a row without a part for it.
            "23514" => Self::NoMonth,
            _ => Self::Other,
        }
    }

    /// What is wrong, and what helps.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Unreachable => {
                ("it cannot be reached", "see that it runs, and that ledger.url names its host and port")
            }
            Self::Lost => ("the connection to it broke", "it is connected to again"),
            Self::Silent => ("it does not answer", "see what keeps it busy, and that the network lets it answer"),
            Self::Certificate => (
                "its certificate is not trusted, or it speaks no TLS",
                "name who signed it in ledger.ca and its own name in ledger.url, or end that with ?sslmode=disable where the \
                 network is trusted",
            ),
            Self::CaFile => {
                ("the certificates of ledger.ca cannot be read", "name a file of certificates in PEM there")
            }
            Self::Credentials => {
                ("it refuses the user or the password", "correct the user in ledger.url, or ledger.password")
            }
            Self::NoDatabase => {
                ("it has no such database", "make it with CREATE DATABASE, or correct its name in ledger.url")
            }
            Self::Forbidden => (
                "the user may not do what the ledger needs",
                "make it the database's owner with ALTER DATABASE .. OWNER TO ..",
            ),
            Self::Full => ("its disk is full", "give it room"),
            Self::Crowded => ("it takes no more connections", "raise its max_connections"),
            Self::ReadOnly => ("it takes no writes", "name the primary server in ledger.url, and not a standby"),
            Self::Starting => ("it is starting or stopping", "it is tried again"),
            Self::HeldUp | Self::Again | Self::NoMonth => ("other work holds it up", "it is tried again"),
            Self::Other => ("it refuses", "look this up in its log"),
        }
    }
}

impl Fault {
    /// In words that may be shown without a token.
    pub fn bland(&self) -> &'static str {
        match self.kind {
            Kind::Unreachable => "the database cannot be reached",
            Kind::Lost => "the connection to the database broke",
            Kind::Silent => "the database does not answer",
            Kind::Certificate | Kind::CaFile => "the database's certificate is not trusted",
            Kind::Credentials => "the database refuses the user or the password",
            Kind::NoDatabase => "the database does not exist",
            Kind::Forbidden => "the database's user may not do what is needed",
            Kind::Full => "the database's disk is full",
            Kind::Crowded => "the database takes no more connections",
            Kind::ReadOnly => "the database takes no writes",
            Kind::Starting => "the database is starting or stopping",
            Kind::HeldUp | Kind::Again | Kind::NoMonth => "the database is held up by other work",
            Kind::Other => "the database cannot be written",
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// What went wrong while connecting.
    pub(super) fn connecting(error: &tokio_postgres::Error) -> Self {
        let fault = Self::from(error);
        let kind = if fault.kind == Kind::Lost { Kind::Unreachable } else { fault.kind };
        Self { kind, ..fault }
    }
}

impl From<Kind> for Fault {
    fn from(kind: Kind) -> Self {
        Self { kind, code: None }
    }
}

impl From<&tokio_postgres::Error> for Fault {
    fn from(error: &tokio_postgres::Error) -> Self {
        if let Some(state) = error.code() {
            return Self { kind: Kind::of(state), code: Some(state.code().to_owned()) };
        }
        // The driver tells its own kinds of error apart by the beginning of their texts alone.
        let text = error.to_string();
        Self::from(if text.starts_with("error performing TLS handshake") {
            Kind::Certificate
        } else if text.starts_with("authentication error") || text.starts_with("invalid configuration") {
            Kind::Credentials
        } else if text.starts_with("timeout") {
            Kind::Silent
        } else if error.is_closed() || error.source().is_some_and(<dyn std::error::Error>::is::<std::io::Error>) {
            Kind::Lost
        } else {
            Kind::Other
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, remedy) = self.kind.words();
        f.write_str(what)?;
        if let Some(code) = &self.code {
            write!(f, " (SQLSTATE {code})")?;
        }
        write!(f, "; {remedy}")
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_told_with_its_code_and_the_remedy() {
        let kind = Kind::of(&SqlState::INVALID_PASSWORD);
        let fault = Fault { kind, code: Some("28P01".to_owned()) };
        assert_eq!(
            fault.to_string(),
            "it refuses the user or the password (SQLSTATE 28P01); correct the user in ledger.url, or ledger.password"
        );
        assert_eq!(fault.bland(), "the database refuses the user or the password");
        assert_eq!(Kind::of(&SqlState::UNDEFINED_TABLE), Kind::Other);
    }
}
