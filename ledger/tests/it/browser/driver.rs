//! A real Chromium, driven by WebDriver (W3C) through Debian's chromedriver.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::harness::http;

/// Longer than anything a page takes.
const HANG: Duration = Duration::from_secs(60);
/// What WebDriver calls an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// What WebDriver says of an element whose page was left.
const GOES_ON: [&str; 3] = ["no such element", "stale element reference", "no such window"];

/// Where `.ci/needs` puts the accessibility checker, and where pictures are kept.
pub(crate) fn artefacts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser")
}

/// A screen, and what the browser may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) scripts: bool,
    pub(crate) dark: bool,
}

/// One browser with one window. Ends with its process.
pub(crate) struct Browser {
    address: SocketAddr,
    session: String,
    screen: Screen,
    _driver: Child,
}

impl Browser {
    pub(crate) async fn start(screen: Screen) -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("chromedriver, which `make needs` installs");
        let mut lines = BufReader::new(driver.stdout.take().expect("its output")).lines();
        let port = tokio::time::timeout(HANG, async {
            while let Some(line) = lines.next_line().await.expect("its output") {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    return port.trim_end_matches('.').parse::<u16>().expect("a port");
                }
            }
            panic!("chromedriver ended")
        })
        .await
        .expect("chromedriver starts");
        let mut browser =
            Self { address: ([127, 0, 0, 1], port).into(), session: String::new(), screen, _driver: driver };
        browser.session = browser.open().await;
        if !screen.scripts {
            browser.devtools("Network.enable", json!({})).await;
            browser.devtools("Network.setBlockedURLs", json!({"urls": ["*console.js"]})).await;
        }
        browser
    }

    async fn open(&self) -> String {
        let Screen { width, height, dark, .. } = self.screen;
        let size = format!("--window-size={width},{height}");
        let mut arguments =
            vec!["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars", &size];
        arguments.push("--force-prefers-reduced-motion");
        if dark {
            arguments.push("--force-dark-mode");
        }
        let mut options = json!({"args": arguments});
        if width < 600 {
            let metrics = json!({"width": width, "height": height, "pixelRatio": 1.0, "mobile": true});
            options["mobileEmulation"] = json!({"deviceMetrics": metrics});
        }
        let wanted =
            json!({"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let answer = self.call("POST", "/session", &json!({"capabilities": {"alwaysMatch": wanted}})).await;
        answer["sessionId"].as_str().expect("a session").to_owned()
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        self.try_call(method, path, body).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    async fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let headers = "Host: 127.0.0.1\r\nContent-Type: application/json\r\n";
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = http(self.address, method, path, headers, &body).await;
        let value = answer.json::<Value>()["value"].clone();
        if answer.status == 200 { Ok(value) } else { Err(value) }
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.call("POST", &format!("/session/{}/{path}", self.session), &body).await
    }

    pub(crate) async fn go(&self, url: &str) {
        self.post("url", json!({"url": url})).await;
    }

    pub(crate) async fn path(&self) -> String {
        let url = self.call("GET", &format!("/session/{}/url", self.session), &Value::Null).await;
        let url = url.as_str().expect("a URL").to_owned();
        url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap_or_default()
    }

    async fn element(&self, css: &str) -> String {
        let found = self.post("element", json!({"using": "css selector", "value": css})).await;
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    pub(crate) async fn click(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Types into a field. `\u{e007}` is Enter, `\u{e004}` is Tab.
    pub(crate) async fn write(&self, css: &str, text: &str) {
        let element = self.element(css).await;
        self.post(&format!("element/{element}/value"), json!({"text": text})).await;
    }

    pub(crate) async fn clear(&self, css: &str) {
        let element = self.element(css).await;
        self.post(&format!("element/{element}/clear"), json!({})).await;
    }

    /// What a reader sees there; nothing while the browser goes from one page to the next.
    pub(crate) async fn text(&self, css: &str) -> String {
        let session = &self.session;
        let found = json!({"using": "css selector", "value": css});
        let text = async {
            let found = self.try_call("POST", &format!("/session/{session}/element"), &found).await?;
            let element = found[ELEMENT].as_str().unwrap_or_default();
            self.try_call("GET", &format!("/session/{session}/element/{element}/text"), &Value::Null).await
        };
        match text.await {
            Ok(text) => text.as_str().expect("text").to_owned(),
            Err(error) if GOES_ON.contains(&error["error"].as_str().unwrap_or_default()) => String::new(),
            Err(error) => panic!("{css}: {error}"),
        }
    }

    /// Loads the page again, as a browser without scripts does by itself.
    pub(crate) async fn again(&self) {
        if !self.screen.scripts {
            self.post("refresh", json!({})).await;
        }
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// What the browser complained of: errors of scripts, and whatever the page's own policy forbade.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        let lines = log.as_array().expect("a log").iter();
        lines.filter(|line| line["level"] == "SEVERE").map(|line| line["message"].to_string()).collect()
    }

    /// Serious findings of the accessibility checker.
    pub(crate) async fn barriers(&self) -> Vec<String> {
        let path = artefacts().join("axe.min.js");
        let axe = std::fs::read_to_string(&path).expect("the accessibility checker, which `make needs` gets");
        let script = format!(
            "{axe}\n; const done = arguments[0]; axe.run().then((found) => done(found.violations), (error) => done([{{id: String(error), impact: 'critical', nodes: []}}]));"
        );
        let found = self.post("execute/async", json!({"script": script, "args": []})).await;
        let found = found.as_array().expect("findings").iter();
        found
            .filter(|finding| matches!(finding["impact"].as_str(), Some("serious" | "critical")))
            .map(|finding| format!("{}: {} {}", finding["id"], finding["help"], finding["nodes"][0]["html"]))
            .collect()
    }

    /// Keeps a picture of the whole page.
    pub(crate) async fn picture(&self, name: &str) {
        let height = self.run("return document.documentElement.scrollHeight").await.as_u64().unwrap_or(0);
        let Screen { name: screen, width, height: least, .. } = self.screen;
        let height = height.clamp(least.into(), 4000);
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let picture = self.call("GET", &format!("/session/{}/screenshot", self.session), &Value::Null).await;
        let bytes = STANDARD.decode(picture.as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(artefacts()).expect("a directory");
        std::fs::write(artefacts().join(format!("{screen}-{name}.png")), bytes).expect("written");
        self.devtools("Emulation.clearDeviceMetricsOverride", json!({})).await;
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await;
    }

    pub(crate) async fn close(self) {
        self.call("DELETE", &format!("/session/{}", self.session), &Value::Null).await;
    }
}
