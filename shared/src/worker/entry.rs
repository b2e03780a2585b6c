//! A connector with its type erased, so that one process can hold several.

use std::future::Future;
use std::pin::Pin;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::account::Accounts;
use crate::clock::Clock;
use crate::config::{ConnectorInfo, Loaded, Loader, Mistake, Reading};
use crate::connector::{Connector, Context};
use crate::error::DeliveryError;
use crate::fields::Fields;
use crate::service::{Ctx, Part, Role, RunError};
use crate::{http, worker};

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a process needs of a connector whose type it does not know.
#[derive(Clone, Copy, Debug)]
pub struct ConnectorEntry {
    /// Its name and the schema of its settings.
    pub info: fn() -> ConnectorInfo,
    /// What is wrong with the settings of the destination of this name.
    pub mistakes: fn(&Loaded, &str) -> Vec<Mistake>,
    /// Runs the worker of the destination of this name.
    pub run: fn(Ctx, String) -> Boxed<Result<(), RunError>>,
    /// Proves the credentials of the destination of this name.
    pub check: fn(Loaded, Clock, String) -> Boxed<Result<Fields, DeliveryError>>,
    /// The fields as documented.
    pub documented_fields: fn() -> Fields,
}

impl ConnectorEntry {
    /// What is wrong with the settings of the destination of this name, where that has not been told: a connector can only say
    /// in other words what the schema has said of its settings.
    pub fn judge(&self, reading: &Reading, name: &str) -> Vec<Mistake> {
        let key = format!("destinations.{name}");
        let told = |m: &Mistake| m.key.strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        if reading.mistakes.iter().any(told) { Vec::new() } else { (self.mistakes)(&reading.loaded, name) }
    }
}

/// The program that delivers to every destination of the connector `C`, and knows no other.
pub fn role<C: Connector>() -> Role {
    let entry = entry::<C>();
    let about = format!("delivers leads to the destinations whose connector is `{}`.", C::NAME);
    let workers = move |loaded: &Loaded| {
        let names = destinations::<C>(loaded);
        if names.is_empty() {
            tracing::warn!(connector = C::NAME, "no destination has this connector; there is nothing to do");
        }
        let worker = |name: String| Part::new(format!("deliver.{name}"), 0, move |ctx| (entry.run)(ctx, name));
        names.into_iter().map(worker).collect()
    };
    let judge = move |reading: &Reading| {
        let names = destinations::<C>(&reading.loaded);
        names.iter().flat_map(|name| entry.judge(reading, name)).collect()
    };
    let loader = Loader { connectors: vec![ConnectorInfo::of::<C>()], all_connectors: false };
    Role::of(&format!("connector-{}", C::NAME), &about, workers).with(loader).judged(judge)
}

/// The destinations of the connector `C`.
fn destinations<C: Connector>(loaded: &Loaded) -> Vec<String> {
    let all = loaded.config.destinations.iter();
    all.filter(|(_, d)| d.common.connector == C::NAME).map(|(name, _)| name.clone()).collect()
}

/// The entry of `C`.
pub fn entry<C: Connector>() -> ConnectorEntry {
    ConnectorEntry {
        info: ConnectorInfo::of::<C>,
        mistakes: |loaded, name| match build::<C>(loaded, &Clock::real(), &Accounts::default(), name) {
            Ok(_) => Vec::new(),
            Err(reason) => vec![Mistake::new(format!("destinations.{name}"), reason)],
        },
        run: |ctx, name| Box::pin(async move { worker::run::<C>(ctx, name).await }),
        check: |loaded, clock, name| {
            Box::pin(async move {
                let connector = build::<C>(&loaded, &clock, &Accounts::default(), &name)
                    .map_err(|reason| DeliveryError::new(crate::error::ErrorKind::Misconfigured, reason))?;
                connector.check().await
            })
        },
        documented_fields: C::documented_fields,
    }
}

/// Makes the connector of the destination `name`.
pub(super) fn build<C: Connector>(
    loaded: &Loaded,
    clock: &Clock,
    accounts: &Accounts,
    name: &str,
) -> Result<C, String> {
    let (settings, context) = parts::<C>(loaded, clock, name)?;
    C::new(settings, Context { accounts: accounts.clone(), ..context })
}

/// What the connector of the destination `name` is made of.
///
/// # Errors
/// When there is no such destination, or its settings are not those of the connector; without a value of theirs.
pub fn parts<C: Connector>(loaded: &Loaded, clock: &Clock, name: &str) -> Result<(C::Settings, Context), String> {
    let destination =
        loaded.config.destinations.get(name).ok_or_else(|| format!("there is no destination `{name}`"))?;
    let settings = settings(C::NAME, destination.settings())?;
    let http = http::Client::new(http::Settings {
        timeout: destination.common.timeout.0,
        allow_private_addresses: destination.common.allow_private_addresses,
    })?;
    let context = Context {
        destination: name.to_owned(),
        http,
        clock: clock.clone(),
        base_dir: loaded.base_dir.clone(),
        accounts: Accounts::default(),
    };
    Ok((settings, context))
}

/// A connector's settings. Serde's own words can hold a value, and a value can be a secret.
fn settings<T: DeserializeOwned>(connector: &str, value: Value) -> Result<T, String> {
    serde_json::from_value(value)
        .map_err(|_| format!("does not fit the settings of connector `{connector}`; `leadrelay check` tells more"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_that_do_not_fit_are_not_shown() {
        let error = settings::<std::collections::BTreeMap<String, u8>>("webhook", json!({"secret": "hunter2"}));
        assert_eq!(
            error,
            Err("does not fit the settings of connector `webhook`; `leadrelay check` tells more".to_owned())
        );
    }
}
