//! A mail server that speaks enough SMTP: EHLO, STARTTLS, AUTH PLAIN and LOGIN, and mails. It keeps what it was sent.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::PrivateKeyDer;

/// `\0relay\0hunter2` in base64: the only login that is let in.
const PLAIN: &str = "AHJlbGF5AGh1bnRlcjI=";
pub(crate) const USER: &str = "relay";
pub(crate) const PASSWORD: &str = "hunter2";

/// One mail.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: Vec<String>,
    pub(crate) data: String,
    pub(crate) over_tls: bool,
    pub(crate) logged_in: bool,
}

impl Mail {
    /// The mail without its transfer encoding, as far as it hides a word.
    pub(crate) fn text(&self) -> String {
        self.data.replace("=\n", "").replace("=3D", "=")
    }

    pub(crate) fn subject(&self) -> &str {
        self.data.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default()
    }
}

#[derive(Default)]
struct World {
    mails: Mutex<Vec<Mail>>,
    away: AtomicBool,
}

pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    /// The certificate that it shows, for `localhost`.
    pem: String,
    world: Arc<World>,
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

impl Smtp {
    pub(crate) fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("a configuration");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let world = Arc::new(World::default());
        let (of_server, config) = (world.clone(), Arc::new(config));
        // It ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (world, config) = (of_server.clone(), config.clone());
                std::thread::spawn(move || Session { world: &world, mail: fresh(), config }.greet(stream));
            }
        });
        Self { address, pem: made.cert.pem(), world }
    }

    /// While it is away, connections are closed at once.
    pub(crate) fn away(&self, away: bool) {
        self.world.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn mails(&self) -> Vec<Mail> {
        self.world.mails.lock().expect("no panic").clone()
    }

    /// `[alerts.mail]` for it, without TLS, to one address.
    pub(crate) fn config(&self) -> String {
        format!(
            "\n[alerts.mail]\nserver = '127.0.0.1'\nport = {}\ntls = 'none'\nfrom = 'leadrelay@example.com'\nto = ['ops@example.com']\n",
            self.address.port()
        )
    }

    /// `[alerts.mail]` for it, over TLS and with a login.
    pub(crate) fn secure(&self, dir: &Path, password: &str) -> String {
        let ca = dir.join("ca.pem");
        std::fs::write(&ca, &self.pem).expect("written");
        format!(
            "\n[alerts.mail]\nserver = 'localhost'\nport = {}\nca = '{}'\nuser = '{USER}'\npassword = '{password}'\n\
             from = 'leadrelay@example.com'\nto = ['ops@example.com']\n",
            self.address.port(),
            ca.display()
        )
    }
}

fn fresh() -> Mail {
    Mail { to: Vec::new(), data: String::new(), over_tls: false, logged_in: false }
}

struct Session<'w> {
    world: &'w World,
    mail: Mail,
    config: Arc<rustls::ServerConfig>,
}

impl Session<'_> {
    fn greet(mut self, mut stream: TcpStream) {
        if self.world.away.load(Ordering::SeqCst) {
            return;
        }
        say(&mut stream, "220 mail.example.com");
        if self.talk(&mut stream) {
            let session = rustls::ServerConnection::new(self.config.clone()).expect("a session");
            self.mail.over_tls = true;
            self.talk(&mut rustls::StreamOwned::new(session, stream));
        }
    }

    /// Answers until the client goes, or wants to speak TLS.
    fn talk(&mut self, wire: &mut impl Wire) -> bool {
        while let Some(line) = read_line(wire) {
            let word = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match word.as_str() {
                "EHLO" => {
                    let tls = if self.mail.over_tls { "" } else { "250-STARTTLS\r\n" };
                    say(wire, &format!("250-mail.example.com\r\n{tls}250 AUTH PLAIN LOGIN"));
                }
                "STARTTLS" => {
                    say(wire, "220 go ahead");
                    return true;
                }
                "AUTH" if line.ends_with(PLAIN) => {
                    self.mail.logged_in = true;
                    say(wire, "235 welcome");
                }
                // A server may repeat what it was told.
                "AUTH" => say(wire, &format!("535 {USER} is not {PASSWORD}")),
                "RCPT" => {
                    let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                    self.mail.to.push(address.to_owned());
                    say(wire, "250 ok");
                }
                "DATA" => {
                    say(wire, "354 go ahead");
                    while let Some(line) = read_line(wire).filter(|line| line != ".") {
                        self.mail.data.push_str(&format!("{line}\n"));
                    }
                    let Mail { over_tls, logged_in, .. } = self.mail;
                    let mail = std::mem::replace(&mut self.mail, Mail { over_tls, logged_in, ..fresh() });
                    self.world.mails.lock().expect("no panic").push(mail);
                    say(wire, "250 kept");
                }
                "QUIT" => {
                    say(wire, "221 bye");
                    return false;
                }
                _ => say(wire, "250 ok"),
            }
        }
        false
    }
}

/// The client may have gone.
fn say(wire: &mut impl Wire, text: &str) {
    let _ = wire.write_all(format!("{text}\r\n").as_bytes()).and_then(|()| wire.flush());
}

/// A line without its end. Byte by byte: what follows STARTTLS is not ours to read.
fn read_line(wire: &mut impl Wire) -> Option<String> {
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.last() != Some(&b'\n') {
        wire.read_exact(&mut byte).ok()?;
        line.push(byte[0]);
    }
    Some(String::from_utf8_lossy(&line).trim_end().to_owned())
}
