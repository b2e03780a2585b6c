//! A message as a mail, over SMTP.
//!
//! Invariant: what goes wrong is told by kind and status alone: a server's own words may repeat addresses and users.

use std::error::Error as _;
use std::io::{self, ErrorKind};
use std::time::SystemTime;

use leadrelay_shared::config::{AlertMailConfig, Loaded, MailTls};
use lettre::address::AddressError;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::message::Message;

type Transport = AsyncSmtpTransport<Tokio1Executor>;

pub(super) async fn send(loaded: &Loaded, to: &[String], id: &str, message: &Message) -> Result<(), String> {
    let config = loaded.config.alerts.mail.as_ref().ok_or("no mail server is configured")?;
    let mail = written(config, to, id, message)?;
    let transport = transport(loaded, config)?;
    transport.send(mail).await.map(drop).map_err(|error| in_words(&error, config))
}

fn written(config: &AlertMailConfig, to: &[String], id: &str, message: &Message) -> Result<lettre::Message, String> {
    let mailbox = |name: Option<&str>, text: &str| -> Result<Mailbox, String> {
        let address = text.parse().map_err(|_: AddressError| "an address of the configuration is none: correct it")?;
        Ok(Mailbox::new(name.map(str::to_owned), address))
    };
    let from = mailbox(Some("leadrelay"), &config.from)?;
    let mail = lettre::Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(SystemTime::try_from(message.at()).unwrap_or(SystemTime::UNIX_EPOCH))
        .subject(message.subject())
        // So that nobody's absence is told to it.
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .from(from);
    let mail = to.iter().try_fold(mail, |mail, address| Ok::<_, String>(mail.to(mailbox(None, address)?)))?;
    let mail = mail.header(ContentType::TEXT_PLAIN).body(message.text());
    mail.map_err(|_| "the message cannot be written as a mail".to_owned())
}

fn transport(loaded: &Loaded, config: &AlertMailConfig) -> Result<Transport, String> {
    let tls = match config.tls {
        MailTls::None => Tls::None,
        MailTls::Starttls => Tls::Required(parameters(loaded, config)?),
        MailTls::Implicit => Tls::Wrapper(parameters(loaded, config)?),
    };
    let builder = Transport::builder_dangerous(&config.server).port(config.port()).tls(tls);
    let builder = match (&config.user, &config.password) {
        (Some(user), Some(password)) => {
            builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()))
        }
        _ => builder,
    };
    Ok(builder.build())
}

fn parameters(loaded: &Loaded, config: &AlertMailConfig) -> Result<TlsParameters, String> {
    let mut builder = TlsParameters::builder(config.server.clone());
    if let Some(ca) = &config.ca {
        let path = loaded.path(ca);
        let shown = path.display();
        let pem = std::fs::read(&path).map_err(|e| format!("alerts.mail.ca {shown} cannot be read: {e}"))?;
        let wrong = |_| format!("alerts.mail.ca {shown} holds no certificates in PEM");
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(wrong)?);
    }
    builder.build().map_err(|_| {
        "the certificates that this machine trusts cannot be read; is the package ca-certificates installed?".to_owned()
    })
}

/// What an error means, without the server's words.
fn in_words(error: &Error, config: &AlertMailConfig) -> String {
    let server = format!("{}:{}", config.server, config.port());
    if let Some(code) = error.status() {
        let code = u16::from(code);
        return match code {
            530 | 534 | 535 | 538 => format!("{server} refuses user and password (SMTP {code})"),
            550 | 551 | 553 | 554 => format!("{server} refuses the sender, a recipient or the mail (SMTP {code})"),
            421 | 450..=455 => format!("{server} does not take it now (SMTP {code})"),
            _ => format!("{server} answered SMTP {code}"),
        };
    }
    let io = io_error(error);
    // What is wrong with a certificate or a handshake comes as data that cannot be.
    if error.is_tls() || io.is_some_and(|cause| cause.kind() == ErrorKind::InvalidData) {
        return format!("{server}: TLS failed; is its certificate good, and does alerts.mail.tls fit the port?");
    }
    if error.is_timeout() {
        return format!("{server} did not answer in time");
    }
    match io {
        Some(cause) => format!("no connection to {server}: {}", cause.kind()),
        None => format!("{server} did not speak SMTP as expected; does alerts.mail.tls fit the port?"),
    }
}

/// The first cause that is the connection's.
fn io_error(error: &Error) -> Option<&io::Error> {
    let mut at = error.source();
    while let Some(cause) = at {
        if let Some(io) = cause.downcast_ref() {
            return Some(io);
        }
        at = cause.source();
    }
    None
}
