//! A message, as it is kept until it is sent, and as people and programs read it.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::condition::Condition;
use super::state::{AlertNews, News, Telling};

/// What one message tells one by one; the list has the rest.
const NEWS_MAX: usize = 50;
/// The longest subject, in characters.
const SUBJECT_MAX: usize = 150;

/// One message. The same at every attempt to send it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Message {
    at: Timestamp,
    /// Where the console is.
    base: String,
    news: Vec<News>,
    /// News beyond those.
    more: usize,
    missed: u32,
}

impl Message {
    pub(crate) fn new(telling: Telling, at: Timestamp, base: String) -> Self {
        let Telling { mut news, missed } = telling;
        let more = news.len().saturating_sub(NEWS_MAX);
        news.truncate(NEWS_MAX);
        Self { at, base, news, more, missed }
    }

    /// A message that tells nothing but that messages arrive.
    pub(crate) fn test(at: Timestamp, base: String) -> Self {
        let news = vec![News { what: AlertNews::Began, condition: Condition::test(at), ended: None }];
        Self::new(Telling { news, missed: 0 }, at, base)
    }

    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// In one line.
    pub(crate) fn subject(&self) -> String {
        let text = match self.news.as_slice() {
            [only] if self.more == 0 && self.missed == 0 => {
                let over = if only.what == AlertNews::Ended { "over: " } else { "" };
                format!("{over}{}", only.condition.text)
            }
            _ => self.counts(),
        };
        let text: String = one_line(&text).chars().take(SUBJECT_MAX).collect();
        format!("leadrelay: {text}")
    }

    fn counts(&self) -> String {
        let of = |what: &[AlertNews]| self.news.iter().filter(|news| what.contains(&news.what)).count();
        let counts = [
            (of(&[AlertNews::Began, AlertNews::Worse]), "new"),
            (of(&[AlertNews::Lasts]), "still there"),
            (of(&[AlertNews::Ended]), "over"),
            (self.more, "more"),
        ];
        let counts = counts.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        format!("alerts: {}", counts.collect::<Vec<_>>().join(", "))
    }

    /// In plain text, for a mail.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for (title, what) in [
            ("New", AlertNews::Began),
            ("Worse", AlertNews::Worse),
            ("Still there", AlertNews::Lasts),
            ("Over", AlertNews::Ended),
        ] {
            let of_this: Vec<&News> = self.news.iter().filter(|news| news.what == what).collect();
            if !of_this.is_empty() {
                let _ = writeln!(text, "{title}:\n");
                of_this.iter().for_each(|news| self.paragraph(&mut text, news));
            }
        }
        if self.more > 0 {
            let _ = writeln!(text, "And {} more; the list has them all.\n", self.more);
        }
        if self.missed > 0 {
            let _ = writeln!(text, "{} came and went while messages were held back.\n", self.missed);
        }
        let _ = writeln!(text, "-- \nleadrelay at {}\n`leadrelay alerts list` shows all that is wrong.", self.base);
        text
    }

    // Writing to a text cannot fail.
    fn paragraph(&self, text: &mut String, news: &News) {
        let Condition { since, text: what, remedy, path, .. } = &news.condition;
        let until = news.ended.map(|at| format!(" until {}", moment(at))).unwrap_or_default();
        let _ = writeln!(text, "* {}.\n  From {}{until}.", one_line(what), moment(*since));
        if news.ended.is_none() {
            let _ = writeln!(text, "  What to do: {}.", one_line(remedy));
        }
        let _ = writeln!(text, "  {}\n", link(&self.base, path));
    }

    /// For a webhook.
    pub(crate) fn json(&self) -> Value {
        let alerts: Vec<Value> = self
            .news
            .iter()
            .map(|News { what, condition, ended }| {
                json!({
                    "news": what,
                    "kind": condition.kind,
                    "subject": condition.subject,
                    "since": condition.since,
                    "ended_at": ended,
                    "text": condition.text,
                    "remedy": condition.remedy,
                    "link": link(&self.base, &condition.path),
                })
            })
            .collect();
        json!({
            "type": "leadrelay.alerts",
            "timestamp": self.at,
            "data": {"summary": self.subject(), "alerts": alerts, "more": self.more, "missed": self.missed},
        })
    }
}

/// Where the console shows it.
pub(crate) fn link(base: &str, path: &str) -> String {
    format!("{}{path}", base.trim_end_matches('/'))
}

/// A point in time for people.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// Names of routes may hold anything.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::condition::AlertKind;
    use super::*;

    fn news(what: AlertNews, subject: &str) -> News {
        let at: Timestamp = "2026-11-23T12:00:00Z".parse().expect("a time");
        let text = format!("{subject} is paused: it refuses the credential (HTTP 401)");
        let condition = Condition::new(AlertKind::Paused, subject, at, text, "renew its secret");
        let condition = condition.at("/destinations".to_owned());
        News { what, condition, ended: (what == AlertNews::Ended).then_some(at) }
    }

    fn message(news: Vec<News>, missed: u32) -> Message {
        let at = "2026-11-23T12:01:30Z".parse().expect("a time");
        Message::new(Telling { news, missed }, at, "https://relay.example.com/".to_owned())
    }

    #[test]
    fn one_is_told_in_the_subject_and_several_are_counted() {
        let one = message(vec![news(AlertNews::Began, "crm\r\nBcc: x")], 0);
        assert_eq!(one.subject(), "leadrelay: crm  Bcc: x is paused: it refuses the credential (HTTP 401)");
        let over = message(vec![news(AlertNews::Ended, "crm")], 0);
        assert!(over.subject().starts_with("leadrelay: over: crm is paused"), "{}", over.subject());
        let all = (0..60).map(|n| news(if n < 10 { AlertNews::Began } else { AlertNews::Ended }, "crm")).collect();
        assert_eq!(message(all, 0).subject(), "leadrelay: alerts: 10 new, 40 over, 10 more");
    }

    #[test]
    fn a_mail_says_what_is_wrong_what_to_do_and_where_to_look() {
        let message = message(vec![news(AlertNews::Began, "crm"), news(AlertNews::Ended, "inbox")], 3);
        let expected = "New:

* crm is paused: it refuses the credential (HTTP 401).
  From 2026-11-23 12:00 UTC.
  What to do: renew its secret.
  https://relay.example.com/destinations

Over:

* inbox is paused: it refuses the credential (HTTP 401).
  From 2026-11-23 12:00 UTC until 2026-11-23 12:00 UTC.
  https://relay.example.com/destinations

3 came and went while messages were held back.

-- 
leadrelay at https://relay.example.com/
`leadrelay alerts list` shows all that is wrong.
";
        assert_eq!(message.text(), expected);
        let documents = include_str!("../../../docs/alerts.md");
        let shown = documents.split("```json\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a sample");
        assert_eq!(serde_json::from_str::<Value>(shown).expect("JSON"), message.json());
        let text = serde_json::to_string(&message).expect("JSON");
        assert_eq!(serde_json::from_str::<Message>(&text).expect("the same"), message);
    }
}
