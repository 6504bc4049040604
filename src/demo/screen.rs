//! Standard output: lines that stay, and on a terminal a picture below them that is drawn again and again.

use std::env;
use std::io::{self, IsTerminal, Write};

use super::text::{Glyphs, Line, WIDTH};

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Cursor movements: the picture is drawn in place.
    pub(super) live: bool,
    /// Colours.
    pub(super) color: bool,
    /// What pictures are made of.
    pub(super) glyphs: Glyphs,
}

impl Look {
    /// What standard output can take, unless `plain` is asked for.
    pub(super) fn detect(plain: bool) -> Self {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let live = !plain && io::stdout().is_terminal() && set("TERM").is_some_and(|term| term != "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let utf8 = locale.to_ascii_lowercase().replace('-', "").contains("utf8");
        Self {
            live,
            color: live && set("NO_COLOR").is_none(),
            glyphs: if live && utf8 { Glyphs::LINES } else { Glyphs::ASCII },
        }
    }
}

/// Standard output.
pub(super) struct Screen<W> {
    out: W,
    look: Look,
    /// Lines of the picture that stand below the cursor's home.
    drawn: usize,
    /// The first failure; everything after it is left out.
    failed: Option<io::Error>,
}

impl<W: Write> Screen<W> {
    /// A screen on `out`.
    pub(super) fn new(out: W, look: Look) -> Self {
        Self { out, look, drawn: 0, failed: None }
    }

    /// How it writes.
    pub(super) fn look(&self) -> Look {
        self.look
    }

    /// Write a line that stays, above the picture.
    pub(super) fn line(&mut self, line: &Line) {
        let text = format!("{}{}\n", self.erased(), line.render(self.look.color));
        self.put(&text);
    }

    /// Draw the picture anew; on anything but a terminal nothing happens.
    pub(super) fn picture(&mut self, lines: &[Line]) {
        if !self.look.live || !fits(lines.len()) {
            return;
        }
        let mut text = self.erased();
        for line in lines {
            text.push_str(&line.render(self.look.color));
            text.push('\n');
        }
        self.put(&text);
        self.drawn = lines.len();
    }

    /// Take the picture away.
    pub(super) fn clear(&mut self) {
        let text = self.erased();
        self.put(&text);
    }

    /// The first write that failed, once.
    pub(super) fn failure(&mut self) -> Option<io::Error> {
        let error = self.failed.take()?;
        self.failed = Some(error.kind().into());
        Some(error)
    }

    /// What takes the picture away.
    fn erased(&mut self) -> String {
        match std::mem::take(&mut self.drawn) {
            0 => String::new(),
            lines => format!("\x1b[{lines}A\x1b[J"),
        }
    }

    fn put(&mut self, text: &str) {
        if self.failed.is_none() && !text.is_empty() {
            let done = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
            self.failed = done.err();
        }
    }
}

/// Whether a picture of `lines` lines can be drawn in place: neither wrapped nor scrolled.
fn fits(lines: usize) -> bool {
    match rustix::termios::tcgetwinsize(rustix::stdio::stdout()) {
        // A terminal that doesn't know its size says 0; then take it for an ordinary one.
        Ok(size) => {
            (size.ws_col == 0 || usize::from(size.ws_col) > WIDTH)
                && (size.ws_row == 0 || usize::from(size.ws_row) > lines)
        }
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(live: bool) -> Screen<Vec<u8>> {
        Screen::new(Vec::new(), Look { live, color: false, glyphs: Glyphs::ASCII })
    }

    fn text(screen: Screen<Vec<u8>>) -> String {
        String::from_utf8(screen.out).unwrap()
    }

    #[test]
    fn a_line_goes_above_the_picture() {
        let mut screen = screen(true);
        screen.picture(&[Line::of("p1"), Line::of("p2")]);
        screen.line(&Line::of("news"));
        screen.picture(&[Line::of("p3")]);
        screen.clear();
        assert_eq!(text(screen), "p1\np2\n\x1b[2A\x1b[Jnews\np3\n\x1b[1A\x1b[J");
    }

    #[test]
    fn without_a_terminal_there_is_no_picture_and_no_escape() {
        let mut screen = screen(false);
        screen.picture(&[Line::of("p1")]);
        screen.line(&Line::of("news"));
        screen.clear();
        assert_eq!(text(screen), "news\n");
    }

    #[test]
    fn a_closed_output_is_told() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut screen = Screen::new(Closed, Look { live: false, color: false, glyphs: Glyphs::ASCII });
        assert!(screen.failure().is_none());
        screen.line(&Line::of("news"));
        assert_eq!(screen.failure().unwrap().kind(), io::ErrorKind::BrokenPipe);
    }
}
