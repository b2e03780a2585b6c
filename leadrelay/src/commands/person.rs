//! Whom a command is about.

use clap::Args;
use leadrelay_ledger::api::types::{Held, Whom};

use crate::cli::Failure;
use crate::client::Api;

/// A person, as leads name them.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Person {
    /// The person with this e-mail address; letter case does not count.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// The person with this telephone number; only its digits count.
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
}

impl Person {
    /// As the API takes it; `None` where nobody was named.
    pub(crate) fn whom(&self) -> Option<Whom> {
        let named = self.email.is_some() || self.phone.is_some();
        named.then(|| Whom { email: self.email.clone(), phone: self.phone.clone() })
    }
}

/// All that the relay holds about a person. It is taken down in the relay's audit log.
pub(crate) async fn held(api: &Api, whom: &Whom) -> Result<Held, Failure> {
    api.post(&["export"], whom).await
}
