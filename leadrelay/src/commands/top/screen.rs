//! The terminal while `top` has it: a screen of its own, and keys as they are pressed. Both are given back at the end.

use std::io::{IsTerminal as _, Read as _, Write as _, stdin, stdout};
use std::time::Duration;

use leadrelay_shared::clock::Clock;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{Receiver, channel};

use crate::cli::{Done, Failure};
use crate::output::clean;

/// Goes to a second screen, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// Goes back to the first.
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// The terminal, taken.
pub(super) struct Screen {
    before: Termios,
    keys: Receiver<u8>,
    signals: [Signal; 2],
}

impl Screen {
    /// Takes the terminal; there may be none.
    ///
    /// # Errors
    /// When there is one that cannot be taken.
    pub(super) fn open() -> Result<Option<Self>, Failure> {
        if !stdin().is_terminal() || !stdout().is_terminal() {
            return Ok(None);
        }
        let signals =
            [signal(SignalKind::interrupt()).map_err(cannot)?, signal(SignalKind::terminate()).map_err(cannot)?];
        let before = tcgetattr(stdin()).map_err(cannot)?;
        let mut raw = before.clone();
        // A key comes without Enter and is not shown. Ctrl+C stays a signal.
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &raw).map_err(cannot)?;
        let screen = Self { before, keys: keys(), signals };
        write(ENTER)?;
        Ok(Some(screen))
    }

    /// Shows a text in place of the one before, as much of it as there is room for.
    pub(super) fn show(&mut self, text: &str) -> Done {
        let (width, height) = tcgetwinsize(stdout()).map_or((80, 24), |size| (size.ws_col, size.ws_row));
        write(&format!("\u{1b}[H\u{1b}[2J{}", fitted(text, width.into(), height.into())))
    }

    /// Waits for so long; whether somebody wants it to end meanwhile.
    ///
    /// # Errors
    /// Those of the terminal.
    pub(super) async fn ended_within(&mut self, clock: &Clock, time: Duration) -> Result<bool, Failure> {
        let [interrupt, terminate] = &mut self.signals;
        let time = clock.sleep(time);
        tokio::pin!(time);
        loop {
            tokio::select! {
                () = &mut time => return Ok(false),
                _ = interrupt.recv() => return Ok(true),
                _ = terminate.recv() => return Ok(true),
                key = self.keys.recv() => match key {
                    Some(b'q' | b'Q') | None => return Ok(true),
                    Some(_) => {}
                }
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing back.
        let _ = write(LEAVE);
        let _ = tcsetattr(stdin(), OptionalActions::Now, &self.before);
    }
}

/// Keys as they are pressed. The thread ends with the process: nothing can wake it.
fn keys() -> Receiver<u8> {
    let (pressed, keys) = channel(16);
    std::thread::spawn(move || {
        let all = stdin().lock().bytes().map_while(Result::ok);
        all.map(|key| pressed.blocking_send(key)).take_while(Result::is_ok).for_each(drop);
    });
    keys
}

/// So many columns and lines of a text; a line end on the last line would move all of it up.
fn fitted(text: &str, width: usize, height: usize) -> String {
    let text = clean(text);
    let lines = text.lines().take(height).map(|line| line.chars().take(width).collect::<String>());
    lines.collect::<Vec<_>>().join("\r\n")
}

fn write(text: &str) -> Done {
    let mut stdout = stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).map_err(cannot)
}

fn cannot(error: impl std::fmt::Display) -> Failure {
    Failure::Failed(format!("the terminal cannot be used: {error}; `leadrelay top --json` needs none"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_to_the_terminal_and_cannot_move_the_cursor() {
        assert_eq!(fitted("one two\nthree\u{1b}[2J\nfour\n", 6, 2), "one tw\r\nthree\u{fffd}");
        assert_eq!(fitted("a\nb\n", 80, 24), "a\r\nb");
    }
}
