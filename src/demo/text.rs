//! Lines of text with tones, and how numbers look.

use std::time::Duration;

/// Widest line that is ever written: a terminal of 80 columns, one left free so that no terminal wraps.
pub(super) const WIDTH: usize = 79;

/// What a piece of text means; a colour on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    /// Ordinary text.
    Plain,
    /// Details.
    Dim,
    /// Headlines.
    Strong,
    /// All is well.
    Good,
    /// Something is under way.
    Wait,
    /// Something is down.
    Bad,
}

impl Tone {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "\x1b[2m",
            Self::Strong => "\x1b[1m",
            Self::Good => "\x1b[32m",
            Self::Wait => "\x1b[33m",
            Self::Bad => "\x1b[31m",
        }
    }
}

/// One line, made of pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line(Vec<(Tone, String)>);

impl Line {
    /// A line of ordinary text.
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self::default().and(Tone::Plain, text)
    }

    /// The line with one more piece.
    pub(super) fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        self.0.push((tone, text.into()));
        self
    }

    /// The line filled with blanks up to `column`.
    pub(super) fn to(self, column: usize) -> Self {
        let blanks = column.saturating_sub(self.width());
        self.and(Tone::Plain, " ".repeat(blanks))
    }

    /// Its width in columns. Only single-width characters are used.
    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.chars().count()).sum()
    }

    /// The text, cut at [`WIDTH`], with colours or without.
    pub(super) fn render(&self, color: bool) -> String {
        let mut out = String::new();
        let mut room = WIDTH;
        for (tone, text) in &self.0 {
            let piece: String = text.chars().take(room).collect();
            room -= piece.chars().count();
            let code = tone.code();
            if color && !code.is_empty() && !piece.is_empty() {
                out.extend([code, &piece, "\x1b[0m"]);
            } else {
                out.push_str(&piece);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out
    }
}

/// Characters that pictures are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Glyphs {
    /// From a client to the primary, and from the primary to a replica.
    pub(super) arrow: &'static str,
    /// A branch with more below it.
    pub(super) tee: &'static str,
    /// The last branch.
    pub(super) corner: &'static str,
    /// Full part of a bar.
    pub(super) full: &'static str,
    /// Empty part of a bar.
    pub(super) empty: &'static str,
    /// The bracket that joins three columns: left end, middle, right end, between.
    pub(super) bracket: [&'static str; 4],
}

impl Glyphs {
    /// For every terminal, and for files.
    pub(super) const ASCII: Self = Self {
        arrow: "-->",
        tee: "|->",
        corner: "`->",
        full: "#",
        empty: ".",
        bracket: ["`", "+", "'", "-"],
    };
    /// For a terminal with UTF-8.
    pub(super) const LINES: Self = Self {
        arrow: "──▶",
        tee: "├─▶",
        corner: "└─▶",
        full: "█",
        empty: "·",
        bracket: ["└", "┼", "┘", "─"],
    };
}

/// A whole number with commas: `12,345`.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Whole milliseconds of a duration.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three() {
        let shown: Vec<String> = [0, 999, 1000, 12_345, 1_234_567].map(grouped).into();
        assert_eq!(shown, ["0", "999", "1,000", "12,345", "1,234,567"]);
    }

    #[test]
    fn a_line_is_cut_at_its_width_and_coloured_on_request() {
        let line = Line::of("ab").and(Tone::Bad, "down").to(10).and(Tone::Dim, "x".repeat(100));
        assert_eq!(line.render(false).chars().count(), WIDTH);
        assert!(line.render(false).starts_with("abdown    xx"));
        assert!(line.render(true).starts_with("ab\x1b[31mdown\x1b[0m    \x1b[2mxx"));
        assert_eq!(Line::of("blank at the end   ").render(false), "blank at the end");
    }
}
