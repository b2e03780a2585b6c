//! Mistakes that the door finds before it opens.

use leadrelay_shared::config::Mistake;
use tempfile::TempDir;

use crate::harness::{SOURCES, TOKEN, loaded};

fn mistakes(dir: &TempDir, text: &str) -> Vec<String> {
    let shown = |m: Mistake| format!("{}: {}", m.key, m.reason);
    leadrelay_ingest::check(&loaded(dir.path(), text)).into_iter().map(shown).collect()
}

#[test]
fn a_sound_configuration_has_none() {
    let dir = TempDir::new().expect("a directory");
    assert_eq!(mistakes(&dir, SOURCES), Vec::<String>::new());
}

#[test]
fn all_are_told_at_once_with_their_keys() {
    let dir = TempDir::new().expect("a directory");
    let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    std::fs::write(dir.path().join("cert.pem"), made("a").cert.pem()).expect("a file");
    std::fs::write(dir.path().join("key.pem"), made("b").signing_key.serialize_pem()).expect("a file");
    std::fs::write(dir.path().join("remote.json"), r#"{"$ref":"https://example.com/lead.json"}"#).expect("a file");
    std::fs::write(dir.path().join("broken.json"), "{").expect("a file");
    let source = |name: &str, more: &str| format!("[sources.{name}]\ntokens = [\"{TOKEN}\"]\n{more}\n");
    let text = format!(
        "read_timeout = \"301s\"\ntls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n{}{}{}{}",
        source("absent", "schema = \"absent.json\""),
        source("broken", "schema = \"broken.json\""),
        source("brief", "duplicate_window = \"0s\""),
        source("remote", "format = \"json\"\nschema = \"remote.json\""),
    );
    let found = mistakes(&dir, &text);
    for told in [
        "ingest.read_timeout: must be",
        "sources.absent.schema: the schema ",
        "sources.broken.schema: the schema ",
        "sources.brief.duplicate_window: must be",
        "sources.remote.schema: refers to \"https://example.com/lead.json\"",
        "ingest.tls.key: ",
    ] {
        assert!(found.iter().any(|m| m.starts_with(told)), "{told} in {found:#?}");
    }
    assert_eq!(found.len(), 6, "{found:#?}");
}

#[test]
fn tls_files_are_told_apart() {
    let dir = TempDir::new().expect("a directory");
    let text = format!("tls = {{ cert = \"cert.pem\", key = \"key.pem\" }}\n{SOURCES}");
    assert!(
        mistakes(&dir, &text)[0].starts_with("ingest.tls.cert: ")
            && mistakes(&dir, &text)[0].contains("cannot be read")
    );
    std::fs::write(dir.path().join("cert.pem"), "no certificate").expect("a file");
    assert!(mistakes(&dir, &text)[0].contains("holds no certificate"));
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).expect("a certificate");
    std::fs::write(dir.path().join("cert.pem"), made.cert.pem()).expect("a file");
    std::fs::write(dir.path().join("key.pem"), made.cert.pem()).expect("a file");
    assert!(
        mistakes(&dir, &text)[0].starts_with("ingest.tls.key: ")
            && mistakes(&dir, &text)[0].contains("holds no private key")
    );
}

#[test]
fn a_body_must_fit_into_what_rabbitmq_takes() {
    let dir = TempDir::new().expect("a directory");
    let with = |size: &str, url: &str| format!("max_body = \"{size}\"\n{SOURCES}\n[queue]\nurl = \"{url}\"\n");
    for (size, url, right) in
        [("2MiB", "amqp://localhost", true), ("2097153B", "amqp://localhost", false), ("16MiB", "embedded", true)]
    {
        let found = mistakes(&dir, &with(size, url));
        assert!(if right { found.is_empty() } else { found[0].starts_with("ingest.max_body: ") }, "{size}: {found:?}");
    }
}
